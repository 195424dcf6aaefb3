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
    /// <summary>Sizes of the tokens.</summary>
    /// <param name="Samples">Images.</param>
    /// <param name="Patches">Patches of an image.</param>
    /// <param name="Width">Elements of a token.</param>
    public readonly record struct Sizes(int Samples, int Patches, int Width)
    {
        /// <summary>Elements of all patches of an image.</summary>
        internal int Row => checked(Patches * Width);

        /// <summary>Elements of all tokens of an image, the class token's among them.</summary>
        internal int RowWithClass => checked((Patches + 1) * Width);
    }

    /// <summary>Puts the class token in front and adds the positions.</summary>
    /// <param name="x">[samples, patches, width].</param>
    /// <param name="classEmbedding">[width].</param>
    /// <param name="positions">[patches + 1, width].</param>
    /// <param name="y">[samples, patches + 1, width].</param>
    /// <param name="sizes">Sizes of all these.</param>
    public static void Forward(DeviceArray x, DeviceArray classEmbedding, DeviceArray positions, DeviceArray y,
        Sizes sizes)
    {
        Check.Length(x, (long)sizes.Samples * sizes.Row, nameof(x));
        Check.Length(classEmbedding, sizes.Width, nameof(classEmbedding));
        Check.Length(positions, sizes.RowWithClass, nameof(positions));
        Check.Length(y, (long)sizes.Samples * sizes.RowWithClass, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, classEmbedding, positions, y, sizes); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, classEmbedding, positions, y, sizes); break;
            default: throw Check.NoImplementation(nameof(AddClassToken), x.Device);
        }
    }

    /// <summary>
    /// dx[n, t] = dy[n, t + 1]; dclass = sum over n of dy[n, 0]; dpositions[t] = sum over n of dy[n, t].
    /// </summary>
    /// <param name="dy">Gradient by the output, [samples, patches + 1, width].</param>
    /// <param name="dx">Gradient by the patches; null when not wanted.</param>
    /// <param name="dclass">Gradient by the class embedding, [width]; null when not wanted.</param>
    /// <param name="dpositions">Gradient by the positions, [patches + 1, width]; null when not wanted.</param>
    /// <param name="sizes">Sizes of all these.</param>
    public static void Backward(DeviceArray dy, GradientTarget dx, GradientTarget dclass,
        GradientTarget dpositions, Sizes sizes)
    {
        (int samples, _, int width) = sizes;
        int row = sizes.RowWithClass;
        Check.Length(dy, (long)samples * row, nameof(dy));
        Check.OptionalLength(dx.Array, (long)samples * sizes.Row, nameof(dx));
        if (!dclass.IsNull)
            ColumnSum.Forward(dy.Slice(0, samples == 0 ? 0 : (samples - 1L) * row + width), dclass, samples,
                width, row);
        if (!dpositions.IsNull)
            ColumnSum.Forward(dy, dpositions, samples, row, row);
        if (dx.IsNull)
            return;
        switch (dy.Device)
        {
            case CpuDevice host: BackwardHost(host, dy, dx, sizes); break;
            case GpuDevice gpu: BackwardGpu(gpu, dy, dx, sizes); break;
            default: throw Check.NoImplementation(nameof(AddClassToken), dy.Device);
        }
    }
}
