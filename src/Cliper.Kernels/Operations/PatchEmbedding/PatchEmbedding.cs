using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// A convolution whose stride is its kernel's size: every patch of p x p pixels becomes a token. With u[n, t] the
/// patch's pixels in the order (channel, row, column), y[n, t] = weight u[n, t]. Backward: dweight = sum over n, t of
/// dy[n, t] u[n, t]ᵀ; du[n, t] = weightᵀ dy[n, t], which is dimages at the patch's pixels.
/// </summary>
/// <remarks>
/// Patches are unfolded a few images at a time, so that the unfolded pixels stay in the cache and memory does not grow
/// with the batch. A NaN pixel makes its own token NaN and no other.
/// </remarks>
public static partial class PatchEmbedding
{
    // Rows of one matrix product: enough to run at full speed, and 6 MB of unfolded pixels for patches of 16 x 16.
    private const int RowsPerProduct = 2048;

    // All of a usual batch at once: 200 MB of fp16 for patches of 16 x 16.
    private const int GpuRowsPerProduct = 1 << 17;

    /// <summary>Sizes of a patch embedding.</summary>
    /// <param name="Images">Number of images.</param>
    /// <param name="Channels">Channels of an image.</param>
    /// <param name="Height">Pixels from top to bottom, a multiple of <paramref name="Patch"/>.</param>
    /// <param name="Width">Pixels from left to right, a multiple of <paramref name="Patch"/>.</param>
    /// <param name="Patch">p.</param>
    /// <param name="Features">Elements of a token.</param>
    public readonly record struct Sizes(int Images, int Channels, int Height, int Width, int Patch, int Features)
    {
        /// <summary>Patches of an image.</summary>
        public int Patches => Height / Patch * (Width / Patch);

        /// <summary>Elements of an unfolded patch.</summary>
        public int Pixels => Channels * Patch * Patch;

        internal long ImageLength => (long)Channels * Height * Width;

        internal int ImagesPerProduct(Device device) => Math.Clamp(
            (device is CpuDevice ? RowsPerProduct : GpuRowsPerProduct) / Math.Max(1, Patches), 1, Math.Max(1, Images));

        internal void Check()
        {
            if (Patch < 1 || Height % Patch != 0 || Width % Patch != 0)
                throw new ArgumentException(
                    $"images of {Height} x {Width} pixels do not divide into patches of {Patch}");
        }
    }

    /// <summary>y[n, t] = weight u[n, t].</summary>
    /// <param name="images">[images, channels, height, width].</param>
    /// <param name="weight">[features, channels, p, p].</param>
    /// <param name="y">[images, patches, features], patches row by row.</param>
    /// <param name="sizes">Sizes of all these.</param>
    public static void Forward(DeviceArray images, DeviceArray weight, DeviceArray y, Sizes sizes)
    {
        CheckLengths(images, weight, y, sizes);
        var w = new Matrix(weight, sizes.Features, sizes.Pixels);
        ForEachProduct(images.Device, sizes, (first, count, unfolded, rows) =>
        {
            Unfold(images.Slice(first * sizes.ImageLength, count * sizes.ImageLength), unfolded,
                sizes with { Images = count });
            Gemm.Run(new Matrix(unfolded, rows, sizes.Pixels), w.Transposed, Tokens(y, first, rows, sizes));
        });
    }

    /// <summary>
    /// dweight = sum over n, t of dy[n, t] u[n, t]ᵀ; dimages at the patch's pixels = weightᵀ dy[n, t].
    /// </summary>
    /// <param name="images">The same as in the forward pass.</param>
    /// <param name="weight">The same as in the forward pass.</param>
    /// <param name="dy">Gradient by the output, [images, patches, features].</param>
    /// <param name="dimages">Gradient by the images; null when not wanted.</param>
    /// <param name="dweight">Gradient by the weight; null when not wanted.</param>
    /// <param name="sizes">Sizes of all these.</param>
    public static void Backward(DeviceArray images, DeviceArray weight, DeviceArray dy, GradientTarget dimages,
        GradientTarget dweight, Sizes sizes)
    {
        CheckLengths(images, weight, dy, sizes);
        Check.OptionalLength(dimages.Array, images.Length, nameof(dimages));
        Check.OptionalLength(dweight.Array, weight.Length, nameof(dweight));
        if (!dweight.IsNull)
            ForEachProduct(images.Device, sizes, (first, count, unfolded, rows) =>
            {
                Unfold(images.Slice(first * sizes.ImageLength, count * sizes.ImageLength), unfolded,
                    sizes with { Images = count });
                Gemm.Run(Tokens(dy, first, rows, sizes).Transposed, new Matrix(unfolded, rows, sizes.Pixels),
                    new Matrix(dweight.Array, sizes.Features, sizes.Pixels), dweight.Accumulate || first > 0);
            });
        if (!dimages.IsNull)
            ForEachProduct(images.Device, sizes, (first, count, unfolded, rows) =>
            {
                Gemm.Run(Tokens(dy, first, rows, sizes), new Matrix(weight, sizes.Features, sizes.Pixels),
                    new Matrix(unfolded, rows, sizes.Pixels));
                Fold(unfolded, dimages.Slice(first * sizes.ImageLength, count * sizes.ImageLength),
                    sizes with { Images = count });
            });
    }

    private delegate void Product(int first, int count, DeviceArray unfolded, int rows);

    private static void ForEachProduct(Device device, Sizes sizes, Product product)
    {
        int each = sizes.ImagesPerProduct(device);
        DeviceArray scratch = device.Allocate((long)each * sizes.Patches * sizes.Pixels, device.Activations);
        for (int first = 0; first < sizes.Images; first += each)
        {
            int count = Math.Min(each, sizes.Images - first), rows = count * sizes.Patches;
            product(first, count, scratch.Slice(0, (long)rows * sizes.Pixels), rows);
        }
        device.Free(scratch);
    }

    private static Matrix Tokens(DeviceArray tokens, int firstImage, int rows, Sizes sizes) =>
        new(tokens.Slice((long)firstImage * sizes.Patches * sizes.Features, (long)rows * sizes.Features), rows,
            sizes.Features);

    /// <summary>u[n, t] of all images: patches row by row. With p = 1 it turns planes (NCHW) into pixels
    /// (NHWC).</summary>
    /// <param name="images">[images, channels, height, width].</param>
    /// <param name="unfolded">[images, patches, channels, p, p], of the device's type of activations.</param>
    /// <param name="sizes">Sizes of both.</param>
    public static void Unfold(DeviceArray images, DeviceArray unfolded, Sizes sizes)
    {
        sizes.Check();
        Check.Length(images, sizes.Images * sizes.ImageLength, nameof(images));
        Check.Length(unfolded, images.Length, nameof(unfolded));
        switch (images.Device)
        {
            case CpuDevice host: UnfoldHost(host, images, unfolded, sizes); break;
            case GpuDevice gpu: UnfoldGpu(gpu, images, unfolded, sizes); break;
            default: throw Check.NoImplementation(nameof(PatchEmbedding), images.Device);
        }
    }

    private static void Fold(DeviceArray unfolded, GradientTarget dimages, Sizes sizes)
    {
        switch (unfolded.Device)
        {
            case CpuDevice host: FoldHost(host, unfolded, dimages, sizes); break;
            default: throw Check.NoImplementation(nameof(PatchEmbedding), unfolded.Device);
        }
    }

    private static void CheckLengths(DeviceArray images, DeviceArray weight, DeviceArray y, Sizes sizes)
    {
        sizes.Check();
        Check.Length(images, sizes.Images * sizes.ImageLength, nameof(images));
        Check.Length(weight, (long)sizes.Features * sizes.Pixels, nameof(weight));
        Check.Length(y, (long)sizes.Images * sizes.Patches * sizes.Features, nameof(y));
    }
}
