using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Normalize
{
    private const int GpuThreads = 256;

    private static readonly KernelFamily UnfoldKernels = new(typeof(Normalize), nameof(NormalizeKernel), "Normalize",
        GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => UnfoldKernels.ForEachDtype16;

    private static void ForwardGpu(GpuDevice gpu, ReadOnlySpan<(ImageView Picture, PixelBox? Erased)> pictures,
        DeviceArray table, DeviceArray patches, PatchEmbedding.Sizes sizes)
    {
        var rows = new ImageRow[pictures.Length];
        bool vectorized = sizes.Patch % Vec8.Size == 0 && Vec8.IsVectorizable(sizes.Width, sizes.Width, patches);
        for (int index = 0; index < pictures.Length; index++)
        {
            (ImageView picture, PixelBox? erased) = pictures[index];
            PixelBox box = erased ?? default;
            rows[index] = new ImageRow
            {
                Pixels = picture.Pixels.Address,
                Channels = picture.Channels,
                Left = box.X,
                Top = box.Y,
                Width = box.Width,
                Height = box.Height,
            };
            vectorized &= picture.Pixels.Address % sizeof(long) == 0;
        }
        DeviceArray device = TensorTable.Upload<ImageRow>(gpu, rows);
        long chunks = (long)sizes.Height * Blocks.Cover(sizes.Width, Vec8.Size);
        gpu.Run(UnfoldKernels[patches.Type.Dtype()], new Blocks(Blocks.Cover(chunks, GpuThreads), pictures.Length),
            device, table, patches, sizes.Height, sizes.Width, sizes.Patch, vectorized);
        gpu.Free(device);
    }

    /// <summary>One image of a launch.</summary>
    private struct ImageRow
    {
        /// <summary>Address, and bytes of a pixel.</summary>
        public long Pixels, Channels;

        /// <summary>The erased rectangle; empty where nothing is erased.</summary>
        public long Left, Top, Width, Height;
    }
}
