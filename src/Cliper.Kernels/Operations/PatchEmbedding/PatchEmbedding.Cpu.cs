using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class PatchEmbedding
{
    private static void UnfoldHost(CpuDevice host, DeviceArray images, DeviceArray unfolded, Sizes sizes) =>
        RangeLoop.Rows(host, (long)sizes.Images * sizes.Patches, sizes.Pixels,
            new UnfoldBody(images.Floats, unfolded.Floats, sizes));

    private static void FoldHost(CpuDevice host, DeviceArray unfolded, GradientTarget dimages, Sizes sizes) =>
        RangeLoop.Rows(host, (long)sizes.Images * sizes.Patches, sizes.Pixels,
            new FoldBody(unfolded.Floats, dimages.Array.Floats, dimages.Accumulate, sizes));

    /// <summary>
    /// First pixel, in channel 0, of the patch that is row <paramref name="patch"/> of all images' patches.
    /// </summary>
    private static float* Corner(float* images, long patch, Sizes sizes)
    {
        long image = patch / sizes.Patches, inImage = patch % sizes.Patches;
        int across = sizes.Width / sizes.Patch;
        return images + image * sizes.ImageLength + inImage / across * sizes.Patch * sizes.Width
            + inImage % across * sizes.Patch;
    }

    private readonly struct UnfoldBody(float* images, float* unfolded, Sizes sizes) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int p = sizes.Patch;
            if (p == 1)
            {
                RunPixels(start, end);
                return;
            }
            for (long patch = start; patch < end; patch++)
            {
                float* target = unfolded + patch * sizes.Pixels, corner = Corner(images, patch, sizes);
                for (int channel = 0; channel < sizes.Channels; channel++, corner += sizes.Height * sizes.Width)
                    for (int row = 0; row < p; row++, target += p)
                        RowMath.Write<V>(corner + row * sizes.Width, target, p, add: false);
            }
        }

        // Planes to pixels, without a call and a division for each.
        private void RunPixels(long start, long end)
        {
            long plane = sizes.Patches, image = start / plane, at = start % plane;
            float* target = unfolded + start * sizes.Channels;
            for (long pixel = start; pixel < end; pixel++)
            {
                float* source = images + image * sizes.ImageLength + at;
                for (int channel = 0; channel < sizes.Channels; channel++, source += plane)
                    *target++ = *source;
                if (++at == plane)
                    (at, image) = (0, image + 1);
            }
        }
    }

    private readonly struct FoldBody(float* unfolded, float* images, bool accumulate, Sizes sizes) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int p = sizes.Patch;
            for (long patch = start; patch < end; patch++)
            {
                float* source = unfolded + patch * sizes.Pixels, corner = Corner(images, patch, sizes);
                for (int channel = 0; channel < sizes.Channels; channel++, corner += sizes.Height * sizes.Width)
                    for (int row = 0; row < p; row++, source += p)
                        RowMath.Write<V>(source, corner + row * sizes.Width, p, accumulate);
            }
        }
    }
}
