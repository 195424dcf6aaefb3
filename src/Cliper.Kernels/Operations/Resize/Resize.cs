using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Separable resize of 8-bit pictures, equal to Pillow's to the byte. Output pixel x of an axis scaled by s = in / out
/// has its center at c = (x + 1/2) s; source pixels within support * max(s, 1) of it are weighted by the filter,
/// stretched by max(s, 1) so that shrinking averages (no aliasing), and normalized to sum 1. Weights are rounded to 22
/// fractional bits, half away from zero; rows are done first, rounded to 8 bits, then columns. An axis that keeps its
/// size is copied.
/// </summary>
/// <remarks>
/// Weights are computed in fp64 with each step rounded and pixels in integers, so every instruction set and device
/// gives the same bytes. Only source rows and columns that the window needs are touched. A crop comes before the
/// resize: pixels outside it have no influence.
/// </remarks>
public static partial class Resize
{
    /// <summary>A resize: a crop of the picture, the size it is resized to, and the part that is wanted.</summary>
    /// <param name="Crop">Part of the picture that is resized.</param>
    /// <param name="Width">Columns that the crop becomes.</param>
    /// <param name="Height">Rows that the crop becomes.</param>
    /// <param name="Window">Part of the resized crop that is wanted.</param>
    public readonly record struct Geometry(PixelBox Crop, int Width, int Height, PixelBox Window);

    /// <summary>Resizes the crop of a picture and writes the window of the result.</summary>
    /// <typeparam name="TFilter">The weighting.</typeparam>
    /// <param name="source">Picture, [sourceHeight, sourceWidth, channels].</param>
    /// <param name="sourceWidth">Columns of the picture.</param>
    /// <param name="sourceHeight">Rows of the picture.</param>
    /// <param name="channels">1 (gray) or 3.</param>
    /// <param name="geometry">The crop, its new size and the window.</param>
    /// <param name="target">Output, [window.Height, window.Width, channels]; must not overlap the picture.</param>
    public static void Forward<TFilter>(ReadOnlySpan<byte> source, int sourceWidth, int sourceHeight, int channels,
        Geometry geometry, Span<byte> target) where TFilter : struct, IResizeFilter
    {
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels, "1 or 3 channels");
        if (source.Length != (long)sourceWidth * sourceHeight * channels)
            throw new ArgumentException(
                $"{source.Length} bytes, expected [{sourceHeight}, {sourceWidth}, {channels}]", nameof(source));
        (PixelBox crop, int width, int height, PixelBox window) = geometry;
        crop.Check(sourceWidth, sourceHeight, nameof(crop));
        window.Check(width, height, nameof(window));
        if (target.Length != (long)window.Width * window.Height * channels)
            throw new ArgumentException(
                $"{target.Length} bytes, expected [{window.Height}, {window.Width}, {channels}]", nameof(target));
        ForwardHost<TFilter>(source, sourceWidth, channels, geometry, target);
    }

    /// <summary>Resizes a whole picture.</summary>
    /// <inheritdoc cref="Forward{TFilter}(ReadOnlySpan{byte}, int, int, int, Geometry, Span{byte})"/>
    public static void Forward<TFilter>(ReadOnlySpan<byte> source, int sourceWidth, int sourceHeight, int channels,
        int width, int height, Span<byte> target) where TFilter : struct, IResizeFilter =>
        Forward<TFilter>(source, sourceWidth, sourceHeight, channels,
            new Geometry(new(0, 0, sourceWidth, sourceHeight), width, height, new(0, 0, width, height)), target);

    /// <summary>One picture of many that are resized together.</summary>
    /// <param name="Source">The picture.</param>
    /// <param name="Crop">Part of it that is resized.</param>
    /// <param name="Width">Columns that the crop becomes.</param>
    /// <param name="Height">Rows that the crop becomes.</param>
    /// <param name="Window">Part of the resized crop that is wanted.</param>
    /// <param name="Mirror">Whether the window is written mirrored left to right.</param>
    /// <param name="Target">Output, of the window's size and the picture's channels; must not overlap any
    /// picture.</param>
    public readonly record struct Part(ImageView Source, PixelBox Crop, int Width, int Height, PixelBox Window,
        bool Mirror, ImageView Target)
    {
        internal Geometry Geometry => new(Crop, Width, Height, Window);

        internal void Check()
        {
            Source.Check(nameof(Source));
            Target.Check(nameof(Target));
            Crop.Check(Source.Width, Source.Height, nameof(Crop));
            Window.Check(Width, Height, nameof(Window));
            if ((Target.Width, Target.Height, Target.Channels) != (Window.Width, Window.Height, Source.Channels))
                throw new ArgumentException(
                    $"the target is [{Target.Height}, {Target.Width}, {Target.Channels}], expected "
                    + $"[{Window.Height}, {Window.Width}, {Source.Channels}]", nameof(Target));
        }
    }

    /// <summary>Resizes pictures of any sizes, each by its own crop, in device memory.</summary>
    /// <typeparam name="TFilter">The weighting.</typeparam>
    /// <param name="parts">The parts, one for each picture.</param>
    public static void Forward<TFilter>(ReadOnlySpan<Part> parts) where TFilter : struct, IResizeFilter
    {
        if (parts.IsEmpty)
            return;
        foreach (Part part in parts)
            part.Check();
        switch (parts[0].Source.Pixels.Device)
        {
            case CpuDevice host: ForwardHost<TFilter>(host, parts.ToArray()); break;
            case GpuDevice gpu: ForwardGpu<TFilter>(gpu, parts); break;
            default: throw Check.NoImplementation(nameof(Resize), parts[0].Source.Pixels.Device);
        }
    }

    /// <summary>
    /// One axis: where an output position begins to read, how many pixels, and the weight of each. The same on every
    /// device.
    /// </summary>
    private struct Axis
    {
        private int _sourceSize, _size;
        private double _scale, _support, _step;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Axis Of<TFilter>(int sourceSize, int size) where TFilter : struct, IResizeFilter
        {
            double scale = (double)sourceSize / size, stretch = scale > 1 ? scale : 1;
            Axis axis;
            (axis._sourceSize, axis._size, axis._scale) = (sourceSize, size, scale);
            (axis._support, axis._step) = (TFilter.Support * stretch, 1 / stretch);
            return axis;
        }

        /// <summary>Most pixels that an output position reads.</summary>
        public readonly int MostWeights => IsCopy ? 1 : (int)Math.Ceiling(_support) * 2 + 1;

        /// <summary>Whether each position is the source's own.</summary>
        public readonly bool IsCopy => _sourceSize == _size;

        /// <summary>First source pixel of an output position, and how many.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly (int Start, int Count) Reach(int position)
        {
            if (IsCopy)
                return (position, 1);
            double center = (position + 0.5) * _scale;
            int start = Math.Max(0, (int)(center - _support + 0.5));
            return (start, Math.Min(_sourceSize, (int)(center + _support + 0.5)) - start);
        }

        /// <summary>Weight of a source pixel, before normalization.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly double Weight<TFilter>(int position, int source) where TFilter : struct, IResizeFilter =>
            TFilter.Weight((source - (position + 0.5) * _scale + 0.5) * _step);

        /// <summary>A weight in fixed point.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static int Quantize(double weight, double sum)
        {
            if (sum != 0)
                weight /= sum;
            return (int)(weight * (1 << FractionBits) + (weight < 0 ? -0.5 : 0.5));
        }
    }
}
