using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Replaces tokens of sequences: y[p, t] = insert[p, t - start] for start &lt;= t &lt; start + inserted, otherwise x[p,
/// t]. How learned descriptor tokens enter the prompts. Everything is copied: a NaN stays in its place, one of a
/// replaced token is gone.
/// </summary>
public static partial class InsertEmbeddings
{
    /// <summary>Sizes of the sequences, and which tokens are replaced.</summary>
    /// <param name="Sequences">Number of sequences.</param>
    /// <param name="Tokens">Tokens of a sequence.</param>
    /// <param name="Inserted">Tokens replaced in each.</param>
    /// <param name="Start">First token replaced; start + inserted is at most tokens.</param>
    /// <param name="Width">Elements of a token.</param>
    public readonly record struct Sizes(int Sequences, int Tokens, int Inserted, int Start, int Width)
    {
        /// <summary>Elements of a sequence.</summary>
        internal long Row => (long)Tokens * Width;

        /// <summary>Elements of the tokens before the replaced ones.</summary>
        internal long Before => (long)Start * Width;

        /// <summary>Elements of the replaced tokens.</summary>
        internal long Middle => (long)Inserted * Width;

        /// <summary>Elements of the tokens after the replaced ones.</summary>
        internal long After => Row - Before - Middle;

        internal void Check()
        {
            if (Start < 0 || Inserted < 0 || Start > Tokens - Inserted)
                throw new ArgumentOutOfRangeException(nameof(Start),
                    $"tokens [{Start}, {Start + Inserted}) of {Tokens}");
        }
    }

    /// <summary>Copies with the tokens replaced.</summary>
    /// <param name="x">[sequences, tokens, width].</param>
    /// <param name="insert">[sequences, inserted, width].</param>
    /// <param name="y">[sequences, tokens, width]; not <paramref name="x"/>.</param>
    /// <param name="sizes">Sizes of all these.</param>
    public static void Forward(DeviceArray x, DeviceArray insert, DeviceArray y, Sizes sizes)
    {
        sizes.Check();
        Check.Length(x, sizes.Sequences * sizes.Row, nameof(x));
        Check.Length(insert, sizes.Sequences * sizes.Middle, nameof(insert));
        Check.Length(y, sizes.Sequences * sizes.Row, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, insert, y, sizes); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, insert, y, sizes); break;
            default: throw Check.NoImplementation(nameof(InsertEmbeddings), x.Device);
        }
    }

    /// <summary>dinsert is dy at the replaced tokens; dx is dy at the others and zero at the replaced ones.</summary>
    /// <param name="dy">Gradient by the output, [sequences, tokens, width].</param>
    /// <param name="dx">Gradient by x; null when not wanted; may be <paramref name="dy"/> only if
    /// <paramref name="dinsert"/> is null.</param>
    /// <param name="dinsert">Gradient by insert, [sequences, inserted, width]; null when not wanted.</param>
    /// <param name="sizes">Sizes of all these.</param>
    public static void Backward(DeviceArray dy, GradientTarget dx, GradientTarget dinsert, Sizes sizes)
    {
        sizes.Check();
        Check.Length(dy, sizes.Sequences * sizes.Row, nameof(dy));
        Check.OptionalLength(dx.Array, sizes.Sequences * sizes.Row, nameof(dx));
        Check.OptionalLength(dinsert.Array, sizes.Sequences * sizes.Middle, nameof(dinsert));
        switch (dy.Device)
        {
            case CpuDevice host: BackwardHost(host, dy, dx, dinsert, sizes); break;
            case GpuDevice gpu: BackwardGpu(gpu, dy, dx, dinsert, sizes); break;
            default: throw Check.NoImplementation(nameof(InsertEmbeddings), dy.Device);
        }
    }
}
