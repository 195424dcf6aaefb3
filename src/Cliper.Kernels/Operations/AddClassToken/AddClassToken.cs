using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Step of a vision transformer between its patches and its blocks: y[n, 0] = classEmbedding + positions[0] and y[n,
/// t] = x[n, t - 1] + positions[t]. A NaN stays in its element; one of the class embedding or the positions reaches
/// that element of every sample.
/// </summary>
public static partial class AddClassToken
{
    /// <summary>Puts the class token in front and adds the positions.</summary>
    /// <param name="x">[samples, patches, width].</param>
    /// <param name="classEmbedding">[width].</param>
    /// <param name="positions">[patches + 1, width].</param>
    /// <param name="y">[samples, patches + 1, width].</param>
    /// <param name="samples">Images.</param>
    /// <param name="patches">Patches of an image.</param>
    /// <param name="width">Elements of a token.</param>
    public static void Forward(DeviceArray x, DeviceArray classEmbedding, DeviceArray positions, DeviceArray y,
        int samples, int patches, int width)
    {
        Check.Length(x, (long)samples * patches * width, nameof(x));
        Check.Length(classEmbedding, width, nameof(classEmbedding));
        Check.Length(positions, (patches + 1L) * width, nameof(positions));
        Check.Length(y, samples * (patches + 1L) * width, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, classEmbedding, positions, y, samples, patches, width); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, classEmbedding, positions, y, samples, patches, width); break;
            default: throw Check.NoImplementation(nameof(AddClassToken), x.Device);
        }
    }

    /// <summary>
    /// dx[n, t] = dy[n, t + 1]; dclass = sum over n of dy[n, 0]; dpositions[t] = sum over n of dy[n, t].
    /// </summary>
    /// <param name="dy">Gradient by the output, [samples, patches + 1, width].</param>
    /// <param name="dx">Gradient by the patches; null when not wanted.</param>
    /// <param name="accumulateDx">Whether to add to <paramref name="dx"/>.</param>
    /// <param name="dclass">Gradient by the class embedding, [width]; null when not wanted.</param>
    /// <param name="accumulateDclass">Whether to add to <paramref name="dclass"/>.</param>
    /// <param name="dpositions">Gradient by the positions, [patches + 1, width]; null when not wanted.</param>
    /// <param name="accumulateDpositions">Whether to add to <paramref name="dpositions"/>.</param>
    /// <param name="samples">Images.</param>
    /// <param name="patches">Patches of an image.</param>
    /// <param name="width">Elements of a token.</param>
    public static void Backward(DeviceArray dy, DeviceArray dx, bool accumulateDx, DeviceArray dclass,
        bool accumulateDclass, DeviceArray dpositions, bool accumulateDpositions, int samples, int patches, int width)
    {
        int tokens = patches + 1, row = checked(tokens * width);
        Check.Length(dy, (long)samples * row, nameof(dy));
        Check.OptionalLength(dx, (long)samples * patches * width, nameof(dx));
        if (!dclass.IsNull)
            ColumnSum.Forward(dy.Slice(0, samples == 0 ? 0 : (samples - 1L) * row + width), dclass, accumulateDclass,
                samples, width, row);
        if (!dpositions.IsNull)
            ColumnSum.Forward(dy, dpositions, accumulateDpositions, samples, row, row);
        if (dx.IsNull)
            return;
        switch (dy.Device)
        {
            case CpuDevice host: BackwardHost(host, dy, dx, accumulateDx, samples, patches, width); break;
            case GpuDevice gpu: BackwardGpu(gpu, dy, dx, accumulateDx, samples, patches, width); break;
            default: throw Check.NoImplementation(nameof(AddClassToken), dy.Device);
        }
    }
}
