using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Position embedding: y[n, t] = x[n, t] + positions[t]. Backward: dx = dy; dpositions[t] = sum over n of dy[n, t].
/// A NaN stays in its element; one of the positions reaches that element of every sample, one of dy that of dpositions.
/// </summary>
public static partial class AddPositions
{
    /// <summary>y[n, t] = x[n, t] + positions[t].</summary>
    /// <param name="x">[samples, tokens, width].</param>
    /// <param name="positions">[tokens, width].</param>
    /// <param name="y">[samples, tokens, width]; may be <paramref name="x"/>.</param>
    /// <param name="samples">Sequences.</param>
    /// <param name="tokens">Tokens of a sequence.</param>
    /// <param name="width">Elements of a token.</param>
    public static void Forward(DeviceArray x, DeviceArray positions, DeviceArray y, int samples, int tokens, int width)
    {
        Check.Length(x, (long)samples * tokens * width, nameof(x));
        Check.Length(positions, (long)tokens * width, nameof(positions));
        Check.Length(y, (long)samples * tokens * width, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, positions, y, samples, tokens, width); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, positions, y, samples, tokens, width); break;
            default: throw Check.NoImplementation(nameof(AddPositions), x.Device);
        }
    }

    /// <summary>dpositions[t] = sum over n of dy[n, t]; dx is dy itself and needs no kernel.</summary>
    /// <param name="dy">Gradient by the output, [samples, tokens, width].</param>
    /// <param name="dpositions">Gradient by the positions, [tokens, width].</param>
    /// <param name="samples">Sequences.</param>
    /// <param name="tokens">Tokens of a sequence.</param>
    /// <param name="width">Elements of a token.</param>
    public static void Backward(DeviceArray dy, GradientTarget dpositions, int samples, int tokens, int width) =>
        ColumnSum.Forward(dy, dpositions, samples, checked(tokens * width), (long)tokens * width);
}
