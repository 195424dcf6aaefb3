using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Normalize
{
    // A row a picture: address, channels, the erased rectangle's left, top, width and height.
    private const int GpuThreads = 256, Fields = 6;

    private static readonly KernelFamily UnfoldKernels = new(typeof(Normalize), nameof(NormalizeKernel), "Normalize", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => UnfoldKernels.ForEachDtype16;

    private static void ForwardGpu(GpuDevice gpu, ReadOnlySpan<(ImageView Picture, PixelBox? Erased)> pictures, DeviceArray table,
        DeviceArray patches, PatchEmbedding.Sizes sizes)
    {
        var rows = new long[pictures.Length * Fields];
        bool vectorized = sizes.Patch % Vec8.Size == 0 && Vec8.IsVectorizable(sizes.Width, sizes.Width, patches);
        for (int index = 0; index < pictures.Length; index++)
        {
            (ImageView picture, PixelBox? erased) = pictures[index];
            PixelBox box = erased ?? default;
            ((ReadOnlySpan<long>)[picture.Pixels.Address, picture.Channels, box.X, box.Y, box.Width, box.Height])
                .CopyTo(rows.AsSpan(index * Fields));
            vectorized &= picture.Pixels.Address % sizeof(long) == 0;
        }
        DeviceArray device = gpu.From(MemoryMarshal.Cast<long, int>(rows));
        long chunks = (long)sizes.Height * Blocks.Cover(sizes.Width, Vec8.Size);
        gpu.Run(UnfoldKernels[patches.Type.Dtype()], new Blocks(Blocks.Cover(chunks, GpuThreads), pictures.Length), device, table, patches,
            sizes.Height, sizes.Width, sizes.Patch, vectorized);
        gpu.Free(device);
    }
}
