using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class ColorJitter
{
    private const int GpuThreads = 256;

    // The turn of an image whose hue does not change.
    private const int NoTurn = -1;

    private static readonly GpuKernel Jittering = new(typeof(ColorJitter), nameof(JitterKernel), "ColorJitter",
        GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [Jittering];

    private static void ForwardGpu(GpuDevice gpu, ReadOnlySpan<(ImageView Picture, Changes Changes)> pictures)
    {
        var table = new ImageRow[pictures.Length];
        for (int index = 0; index < pictures.Length; index++)
        {
            (ImageView picture, Changes changes) = pictures[index];
            table[index] = new ImageRow
            {
                Pixels = picture.Pixels.Address,
                Count = picture.Width * picture.Height,
                Channels = picture.Channels,
                Order = (int)changes.First | (int)changes.Second << 2 | (int)changes.Third << 4
                    | (int)changes.Last << 6,
                Turn = changes.Hue == 0 ? NoTurn : Steps(changes.Hue),
                Brightness = changes.Brightness,
                Contrast = changes.Contrast,
                Saturation = changes.Saturation,
            };
        }
        DeviceArray rows = TensorTable.Upload<ImageRow>(gpu, table);
        gpu.Run(Jittering, new Blocks(pictures.Length), rows);
        gpu.Free(rows);
    }

    /// <summary>One image of a launch.</summary>
    private struct ImageRow
    {
        /// <summary>Address, number of pixels, bytes of a pixel.</summary>
        public long Pixels, Count, Channels;

        /// <summary>
        /// The changes in their order, two bits each, and the turn of the hue in 1/255 or <see cref="NoTurn"/>.
        /// </summary>
        public long Order, Turn;

        /// <summary>Factors; 1 changes nothing.</summary>
        public float Brightness, Contrast, Saturation;
    }
}
