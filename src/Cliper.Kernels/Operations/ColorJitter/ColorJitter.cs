using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Changes of brightness, contrast, saturation and hue of 8-bit pictures, in place, equal to Pillow's ImageEnhance and
/// torchvision's hue on Pillow pictures to the byte.
/// </summary>
/// <remarks>
/// The first three blend with a degenerate picture d: y = d + factor (x - d) in fp32, cut to [0, 255], rounded down; d
/// is black, the rounded mean of the luma, or each pixel's luma. Luma is (19595 R + 38470 G + 7471 B + 2^15) / 2^16,
/// rounded down. Gray pictures (1 channel) have no saturation and no hue: these leave them as they are. Every device
/// gives the same bytes.
/// </remarks>
public static partial class ColorJitter
{
    // Most pixels of a picture on a GPU: the sum of their luma is an integer of 32 bits.
    private const int MostPixels = 1 << 23;

    /// <summary>One of the changes.</summary>
    public enum Change
    {
        /// <summary>See <see cref="ColorJitter.Brightness"/>.</summary>
        Brightness,

        /// <summary>See <see cref="ColorJitter.Contrast"/>.</summary>
        Contrast,

        /// <summary>See <see cref="ColorJitter.Saturation"/>.</summary>
        Saturation,

        /// <summary>See <see cref="ColorJitter.Hue"/>.</summary>
        Hue,
    }

    /// <summary>All four changes of a picture, one after the other.</summary>
    /// <param name="First">The first change.</param>
    /// <param name="Second">The second.</param>
    /// <param name="Third">The third.</param>
    /// <param name="Last">The last; all four are different.</param>
    /// <param name="Brightness">Factor, 1 for none.</param>
    /// <param name="Contrast">Factor, 1 for none.</param>
    /// <param name="Saturation">Factor, 1 for none.</param>
    /// <param name="Hue">Part of the color circle, 0 for none.</param>
    public readonly record struct Changes(Change First, Change Second, Change Third, Change Last, float Brightness,
        float Contrast, float Saturation, float Hue)
    {
        internal void Check()
        {
            CheckFactor(Brightness);
            CheckFactor(Contrast);
            CheckFactor(Saturation);
            CheckTurn(Hue);
            if ((1 << (int)First | 1 << (int)Second | 1 << (int)Third | 1 << (int)Last) != 15)
                throw new ArgumentException(
                    $"changes in the order {First}, {Second}, {Third}, {Last}; each comes once");
        }
    }

    /// <summary>Changes pictures of any sizes in device memory, in place, each in its own way.</summary>
    /// <param name="pictures">Pictures and what is done to each; at most 2^23 pixels.</param>
    public static void Forward(ReadOnlySpan<(ImageView Picture, Changes Changes)> pictures)
    {
        if (pictures.IsEmpty)
            return;
        foreach ((ImageView picture, Changes changes) in pictures)
        {
            picture.Check(nameof(pictures));
            changes.Check();
            if ((long)picture.Width * picture.Height > MostPixels)
                throw new ArgumentException(
                    $"a picture of {picture.Width} x {picture.Height} pixels; at most {MostPixels}", nameof(pictures));
        }
        switch (pictures[0].Picture.Pixels.Device)
        {
            case CpuDevice host: ForwardHost(host, pictures.ToArray()); break;
            case GpuDevice gpu: ForwardGpu(gpu, pictures); break;
            default: throw Check.NoImplementation(nameof(ColorJitter), pictures[0].Picture.Pixels.Device);
        }
    }

    /// <summary>Changes one picture on the host.</summary>
    /// <param name="pixels">Picture, [pixels, channels].</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="changes">The changes that are made to it.</param>
    public static void Forward(Span<byte> pixels, int channels, in Changes changes)
    {
        changes.Check();
        foreach (Change change in (ReadOnlySpan<Change>)[changes.First, changes.Second, changes.Third, changes.Last])
        {
            switch (change)
            {
                case Change.Brightness: Brightness(pixels, changes.Brightness); break;
                case Change.Contrast: Contrast(pixels, channels, changes.Contrast); break;
                case Change.Saturation: Saturation(pixels, channels, changes.Saturation); break;
                default: Hue(pixels, channels, changes.Hue); break;
            }
        }
    }

    /// <summary>Blends with black: 0 gives black, 1 the picture itself.</summary>
    /// <param name="pixels">Picture, any layout.</param>
    /// <param name="factor">At least 0.</param>
    public static void Brightness(Span<byte> pixels, float factor)
    {
        CheckFactor(factor);
        BlendWith(0, pixels, factor);
    }

    /// <summary>Blends with the gray of the picture's mean luma: 0 gives that gray, 1 the picture itself.</summary>
    /// <param name="pixels">Picture, [pixels, channels].</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="factor">At least 0.</param>
    public static void Contrast(Span<byte> pixels, int channels, float factor)
    {
        CheckFactor(factor);
        CheckPixels(pixels, channels);
        BlendWith(MeanLuma(pixels, channels), pixels, factor);
    }

    /// <summary>Blends each pixel with its luma: 0 gives a gray picture, 1 the picture itself.</summary>
    /// <param name="pixels">Picture, [pixels, channels].</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="factor">At least 0.</param>
    public static void Saturation(Span<byte> pixels, int channels, float factor)
    {
        CheckFactor(factor);
        CheckPixels(pixels, channels);
        if (channels == 3 && factor != 1)
            SaturationHost(pixels, factor);
    }

    /// <summary>
    /// Turns the hue, in 8-bit HSV: hue and saturation are rounded down to 1/255 on the way, so that colors change a
    /// little even when the turn is 0 (then nothing is done here).
    /// </summary>
    /// <param name="pixels">Picture, [pixels, channels].</param>
    /// <param name="channels">1 or 3.</param>
    /// <param name="turn">Part of the color circle, in [-0.5, 0.5]; times 255 and cut to a whole number.</param>
    public static void Hue(Span<byte> pixels, int channels, float turn)
    {
        CheckTurn(turn);
        CheckPixels(pixels, channels);
        if (channels == 3 && turn != 0)
            HueHost(pixels, Steps(turn));
    }

    /// <summary>A turn in 255ths of the circle, forwards.</summary>
    private static byte Steps(float turn) => (byte)(int)(turn * 255.0);

    /// <summary>Luma of a pixel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Luma(int r, int g, int b) => (19595 * r + 38470 * g + 7471 * b + (1 << 15)) >> 16;

    /// <summary>
    /// The mean luma, rounded, half up. A quotient of integers of this size is no nearer to a half than fp64 can tell,
    /// unless it is one.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Mean(long sum, int pixels) => (int)((2 * sum + pixels) / (2L * pixels));

    /// <summary>
    /// A pixel, not gray, with its hue turned by 255ths of the circle: red in the lowest byte of the result. Pillow
    /// goes to HSV and back in fp32 and fp64; its bytes are these integers' for every pixel and turn, but for
    /// <see cref="IsBelow"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Turned(int r, int g, int b, int turn)
    {
        const int Circle = 255, Square = Circle * Circle;
        int max = Math.Max(r, Math.Max(g, b)), range = max - Math.Min(r, Math.Min(g, b));
        // In sixths of the circle from red, times the range.
        int sixths = r == max ? g - b : g == max ? 2 * range + b - r : 4 * range + r - g;
        if (sixths < 0)
            sixths += 6 * range;
        int whole = Circle * sixths / (6 * range);
        if (whole * (6 * range) == Circle * sixths && IsBelow(whole))
            whole--;
        int hue = (whole + turn & 255) * 6, sector = hue / Circle, within = hue - sector * Circle,
            saturation = Circle * range / max;
        int low = (2 * max * (Circle - saturation) + Circle) / (2 * Circle);
        int falling = (2 * max * (Square - saturation * within) + Square) / (2 * Square);
        int rising = (2 * max * (Square - saturation * (Circle - within)) + Square) / (2 * Square);
        // Sectors 0 and 6 are red to yellow.
        int red = sector == 1 ? falling : sector == 2 || sector == 3 ? low : sector == 4 ? rising : max;
        int green = sector == 1 || sector == 2 ? max : sector == 3 ? falling : sector == 4 || sector == 5 ? low
            : rising;
        int blue = sector == 2 ? rising : sector == 3 || sector == 4 ? max : sector == 5 ? falling : low;
        return red | green << 8 | blue << 16;
    }

    /// <summary>
    /// Whether this many 255ths of the circle, where they are exact, are a little less in fp32 and so are rounded down
    /// to one less.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsBelow(int hue)
    {
        ulong those = hue < 64 ? 0xFFFFFFFE : hue < 128 ? 0x11111000000 : hue < 192 ? 0x23232222222AAAAA : 0x22222ul;
        return (those >> (hue & 63) & 1) != 0;
    }

    private static void CheckTurn(float turn)
    {
        if (!(turn is >= -0.5f and <= 0.5f))
            throw new ArgumentOutOfRangeException(nameof(turn), turn, "within [-0.5, 0.5]");
    }

    private static void CheckFactor(float factor)
    {
        if (!(factor >= 0 && float.IsFinite(factor)))
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "finite and at least 0");
    }

    private static void CheckPixels(ReadOnlySpan<byte> pixels, int channels)
    {
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "1 or 3 channels");
        if (pixels.Length % channels != 0 || pixels.Length == 0)
            throw new ArgumentException($"{pixels.Length} bytes are not whole pixels of {channels}", nameof(pixels));
    }
}
