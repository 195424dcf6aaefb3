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
    /// <summary>Copies with the tokens replaced.</summary>
    /// <param name="x">[sequences, tokens, width].</param>
    /// <param name="insert">[sequences, inserted, width].</param>
    /// <param name="y">[sequences, tokens, width]; not <paramref name="x"/>.</param>
    /// <param name="sequences">Number of sequences.</param>
    /// <param name="tokens">Tokens of a sequence.</param>
    /// <param name="inserted">Tokens replaced in each.</param>
    /// <param name="start">First token replaced; start + inserted is at most tokens.</param>
    /// <param name="width">Elements of a token.</param>
    public static void Forward(DeviceArray x, DeviceArray insert, DeviceArray y, int sequences, int tokens,
        int inserted, int start, int width)
    {
        CheckRange(tokens, inserted, start);
        Check.Length(x, (long)sequences * tokens * width, nameof(x));
        Check.Length(insert, (long)sequences * inserted * width, nameof(insert));
        Check.Length(y, (long)sequences * tokens * width, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, insert, y, sequences, tokens, inserted, start, width); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, insert, y, sequences, tokens, inserted, start, width); break;
            default: throw Check.NoImplementation(nameof(InsertEmbeddings), x.Device);
        }
    }

    /// <summary>dinsert is dy at the replaced tokens; dx is dy at the others and zero at the replaced ones.</summary>
    /// <param name="dy">Gradient by the output, [sequences, tokens, width].</param>
    /// <param name="dx">Gradient by x; null when not wanted; may be <paramref name="dy"/> only if
    /// <paramref name="dinsert"/> is null.</param>
    /// <param name="accumulateDx">Whether to add to <paramref name="dx"/>.</param>
    /// <param name="dinsert">Gradient by insert, [sequences, inserted, width]; null when not wanted.</param>
    /// <param name="accumulateDinsert">Whether to add to <paramref name="dinsert"/>.</param>
    /// <param name="sequences">Number of sequences.</param>
    /// <param name="tokens">Tokens of a sequence.</param>
    /// <param name="inserted">Tokens replaced in each.</param>
    /// <param name="start">First token replaced.</param>
    /// <param name="width">Elements of a token.</param>
    public static void Backward(DeviceArray dy, DeviceArray dx, bool accumulateDx, DeviceArray dinsert,
        bool accumulateDinsert, int sequences, int tokens, int inserted, int start, int width)
    {
        CheckRange(tokens, inserted, start);
        Check.Length(dy, (long)sequences * tokens * width, nameof(dy));
        Check.OptionalLength(dx, (long)sequences * tokens * width, nameof(dx));
        Check.OptionalLength(dinsert, (long)sequences * inserted * width, nameof(dinsert));
        switch (dy.Device)
        {
            case CpuDevice host:
                BackwardHost(host, dy, dx, accumulateDx, dinsert, accumulateDinsert, sequences, tokens, inserted,
                    start, width);
                break;
            case GpuDevice gpu:
                BackwardGpu(gpu, dy, dx, accumulateDx, dinsert, accumulateDinsert, sequences, tokens, inserted, start,
                    width);
                break;
            default: throw Check.NoImplementation(nameof(InsertEmbeddings), dy.Device);
        }
    }

    private static void CheckRange(int tokens, int inserted, int start)
    {
        if (start < 0 || inserted < 0 || start > tokens - inserted)
            throw new ArgumentOutOfRangeException(nameof(start), $"tokens [{start}, {start + inserted}) of {tokens}");
    }
}
