using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Places tokens in sequences: y[p, slots[p, l]] = insert[p, l], and y[p, t] = x[p, t] where t is no slot of p. It is
/// how learned vectors enter prompts: METD's slots stand one after the other, CoOp's on both sides of a class name.
/// Everything is copied: a NaN stays in its place, one of a replaced token is gone.
/// </summary>
public static partial class Place
{
    /// <summary>Sizes of the sequences.</summary>
    /// <param name="Sequences">Number of sequences.</param>
    /// <param name="Tokens">Tokens of a sequence.</param>
    /// <param name="Inserted">Tokens replaced in each.</param>
    /// <param name="Width">Elements of a token.</param>
    public readonly record struct Sizes(int Sequences, int Tokens, int Inserted, int Width)
    {
        /// <summary>Elements of all sequences.</summary>
        internal long Elements => (long)Sequences * Tokens * Width;

        /// <summary>Slots of all sequences.</summary>
        internal long Slots => (long)Sequences * Inserted;
    }

    /// <summary>Copies with the tokens replaced.</summary>
    /// <param name="x">[sequences, tokens, width].</param>
    /// <param name="insert">[sequences, inserted, width].</param>
    /// <param name="slots">int32 [sequences, inserted]: tokens of a sequence, each at most once. The CPU checks them; a
    /// GPU does not read them back, and passes over those outside.</param>
    /// <param name="y">[sequences, tokens, width]; not <paramref name="x"/>.</param>
    /// <param name="sizes">Sizes of all these.</param>
    /// <exception cref="ArgumentOutOfRangeException">A slot is outside its sequence, or there twice; the message names
    /// its place.</exception>
    public static void Forward(DeviceArray x, DeviceArray insert, DeviceArray slots, DeviceArray y, Sizes sizes)
    {
        Check.Length(x, sizes.Elements, nameof(x));
        Check.Length(insert, sizes.Slots * sizes.Width, nameof(insert));
        Check.Length(slots, sizes.Slots, nameof(slots), ElementType.Int32);
        Check.Length(y, sizes.Elements, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, insert, slots, y, sizes); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, insert, slots, y, sizes); break;
            default: throw Check.NoImplementation(nameof(Place), x.Device);
        }
    }

    /// <summary>dinsert[p, l] = dy[p, slots[p, l]]; dx is dy with zeros at the slots.</summary>
    /// <param name="dy">Gradient by the output, [sequences, tokens, width].</param>
    /// <param name="slots">int32 [sequences, inserted], as in the forward pass.</param>
    /// <param name="dx">Gradient by x; null when not wanted; may be <paramref name="dy"/> only if
    /// <paramref name="dinsert"/> is null.</param>
    /// <param name="dinsert">Gradient by insert, [sequences, inserted, width]; null when not wanted.</param>
    /// <param name="sizes">Sizes of all these.</param>
    /// <exception cref="ArgumentOutOfRangeException">A slot is outside its sequence, or there twice.</exception>
    public static void Backward(DeviceArray dy, DeviceArray slots, GradientTarget dx, GradientTarget dinsert,
        Sizes sizes)
    {
        Check.Length(dy, sizes.Elements, nameof(dy));
        Check.Length(slots, sizes.Slots, nameof(slots), ElementType.Int32);
        Check.OptionalLength(dx.Array, sizes.Elements, nameof(dx));
        Check.OptionalLength(dinsert.Array, sizes.Slots * sizes.Width, nameof(dinsert));
        switch (dy.Device)
        {
            case CpuDevice host: BackwardHost(host, dy, slots, dx, dinsert, sizes); break;
            case GpuDevice gpu: BackwardGpu(gpu, dy, slots, dx, dinsert, sizes); break;
            default: throw Check.NoImplementation(nameof(Place), dy.Device);
        }
    }
}
