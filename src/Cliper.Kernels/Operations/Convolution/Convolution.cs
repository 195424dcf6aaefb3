using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Convolution in NHWC: y[n, i, j] = weight u[n, i, j], u the elements under the window in the order (row, column,
/// channel), zeros in the padding. Backward: dweight = sum over n, i, j of dy[n, i, j] u[n, i, j]ᵀ; dx is the sum of
/// weightᵀ dy[n, i, j] over the windows that see an input.
/// </summary>
/// <remarks>
/// A GEMM: a window of one pixel is one without a copy, any other is unfolded (im2col) some rows of outputs at a time,
/// so that the unfolded elements stay in the cache and memory does not grow with the batch. An input that is NaN or
/// infinite reaches the outputs whose windows see it and no other.
/// </remarks>
public static partial class Convolution
{
    // Unfolded floats that stay in a core's second-level cache, and rows that keep a GEMM at full speed.
    private const int UnfoldedOnCpu = 1 << 17, LeastRowsOnCpu = 256;

    // Elements unfolded at once on a GPU: 128 MB of 16-bit numbers.
    private const long UnfoldedOnGpu = 1L << 26;

    /// <summary>y = epilogue(weight * x), or epilogue(y + weight * x) when accumulating.</summary>
    /// <param name="x">[images, height, width, channels].</param>
    /// <param name="weight">[features, kernel rows, kernel columns, channels].</param>
    /// <param name="y">[images, output rows, output columns, features]; must not overlap <paramref name="x"/>.</param>
    /// <param name="window">Sizes of the input, and the window.</param>
    /// <param name="features">Channels of the result.</param>
    /// <param name="epilogue">Applied to each element; its rows are all output pixels, its columns the
    /// features.</param>
    /// <param name="accumulate">Whether to add to <paramref name="y"/>.</param>
    public static void Forward<TEpilogue>(DeviceArray x, DeviceArray weight, DeviceArray y, SlidingWindow window,
        int features, TEpilogue epilogue, bool accumulate = false) where TEpilogue : struct, ICpuEpilogue
    {
        CheckLengths(window, features, x, weight, y);
        CheckEpilogue(epilogue, window.Output(features));
        if (x.Device is CpuDevice)
        {
            using PackedMatrix packed = Pack(weight, window, features);
            Forward(x, packed, y, window, epilogue, accumulate);
            return;
        }
        var w = new Matrix(weight, features, window.Elements);
        ForEachBlock(x, window, unfolds: true, (block, unfolded) => Gemm.Run(unfolded, w.Transposed,
            block.RowsOf(y, features), new FromRow<TEpilogue>(epilogue, block, features), accumulate));
    }

    /// <summary>
    /// The same on the CPU with a weight packed by <see cref="Pack"/>, made once and used many times.
    /// </summary>
    /// <param name="x">[images, height, width, channels].</param>
    /// <param name="weight">The packed weight.</param>
    /// <param name="y">[images, output rows, output columns, features]; must not overlap <paramref name="x"/>.</param>
    /// <param name="window">Sizes of the input, and the window.</param>
    /// <param name="epilogue">Applied to each element.</param>
    /// <param name="accumulate">Whether to add to <paramref name="y"/>.</param>
    public static void Forward<TEpilogue>(DeviceArray x, PackedMatrix weight, DeviceArray y, SlidingWindow window,
        TEpilogue epilogue, bool accumulate = false) where TEpilogue : struct, ICpuEpilogue
    {
        int features = weight.Columns;
        CheckLengths(window, features, x, default, y);
        CheckEpilogue(epilogue, window.Output(features));
        if (weight.Rows != window.Elements)
            throw new ArgumentException($"the weight was packed for {weight.Rows} elements a window, here are "
                + $"{window.Elements}", nameof(weight));
        if (x.Device is CpuDevice host && HasLongLines(host, window, features))
        {
            ForwardLines(host, x, weight, y, window, epilogue, accumulate);
            return;
        }
        if (x.Device is CpuDevice cpu && HasManyBlocks(cpu, window))
        {
            ForwardBlocks(cpu, x, weight, y, window, epilogue, accumulate);
            return;
        }
        ForEachBlock(x, window, unfolds: true, (block, unfolded) => Gemm.Run(unfolded, weight,
            block.RowsOf(y, features), new FromRow<TEpilogue>(epilogue, block, features), accumulate));
    }

    /// <summary>Packs a weight for the CPU.</summary>
    /// <param name="weight">[features, kernel rows, kernel columns, channels].</param>
    /// <param name="window">The window that it will be used with; its input may be of any height and width.</param>
    /// <param name="features">Channels of the result.</param>
    public static PackedMatrix Pack(DeviceArray weight, SlidingWindow window, int features) =>
        PackedMatrix.Pack(new Matrix(weight, features, window.Elements).Transposed);

    /// <summary>dx = the sum of weightᵀ dy over the windows that see each input.</summary>
    /// <param name="weight">The same as in the forward pass.</param>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="dx">Gradient by the input.</param>
    /// <param name="window">The same as in the forward pass.</param>
    /// <param name="features">Channels of the result.</param>
    public static void BackwardInput(DeviceArray weight, DeviceArray dy, GradientTarget dx, SlidingWindow window,
        int features)
    {
        Device device = dx.Array.Device;
        CheckLengths(window, features, dx.Array, weight, dy);
        var w = new Matrix(weight, features, window.Elements);
        if (window.IsPointwise)
        {
            int rows = checked((int)window.Input.Pixels);
            Gemm.Run(new Matrix(dy, rows, features), w, new Matrix(dx.Array, rows, window.Input.Channels),
                dx.Accumulate);
            return;
        }
        if (device is CpuDevice cpu && CanBeFlipped(window.Down) && CanBeFlipped(window.Across))
        {
            using PackedMatrix flipped = PackFlipped(cpu, weight, window, features);
            Forward(dy, flipped, dx.Array, Flipped(window, features), default(NoEpilogue), dx.Accumulate);
            return;
        }
        if (device is CpuDevice && !dx.Accumulate)
            device.Clear(dx.Array);
        ForEachBlock(dx.Array, window, unfolds: false, (block, unfolded) =>
        {
            Gemm.Run(block.RowsOf(dy, features), w, unfolded);
            switch (device)
            {
                case CpuDevice host: FoldCpu(host, unfolded.Data, dx.Array, window, block); break;
                case GpuDevice gpu: FoldGpu(gpu, unfolded.Data, dx, window, block); break;
                default: throw Check.NoImplementation(nameof(Convolution), device);
            }
        });
    }

    /// <summary>
    /// dweight = the sum of dy uᵀ over all output pixels. The bias's gradient is <see cref="ColumnSum"/> of dy.
    /// </summary>
    /// <param name="x">The same as in the forward pass.</param>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="dweight">Gradient by the weight.</param>
    /// <param name="window">The same as in the forward pass.</param>
    /// <param name="features">Channels of the result.</param>
    public static void BackwardWeight(DeviceArray x, DeviceArray dy, GradientTarget dweight,
        SlidingWindow window, int features)
    {
        CheckLengths(window, features, x, dweight.Array, dy);
        if (window.Input.Images == 0 && !dweight.Accumulate)
            x.Device.Clear(dweight.Array);
        if (x.Device is CpuDevice && window.Input.Images == 0)
            return;
        if (x.Device is CpuDevice host && HasLongLines(host, window, features))
        {
            BackwardWeightLines(host, x, dy, dweight, window, features);
            return;
        }
        if (x.Device is CpuDevice own && HasSmallPixels(own, window, features))
        {
            BackwardWeightPixels(own, x, dy, dweight, window, features);
            return;
        }
        if (x.Device is CpuDevice cpu && Slices(cpu, window, features) >= FewestSlices)
        {
            BackwardWeightSlices(cpu, x, dy, dweight, window, features);
            return;
        }
        ForEachBlock(x, window, unfolds: true, (block, unfolded) =>
            Gemm.Run(block.RowsOf(dy, features).Transposed, unfolded,
            new Matrix(dweight.Array, features, window.Elements), dweight.Accumulate || block.FirstLine > 0));
    }

    /// <summary>Some rows of output pixels, counted over all images.</summary>
    private readonly record struct Block(int FirstLine, int Lines, int PixelsPerLine)
    {
        public int FirstRow => checked(FirstLine * PixelsPerLine);

        public int Rows => checked(Lines * PixelsPerLine);

        public Matrix RowsOf(DeviceArray pixels, int channels) =>
            new(pixels.Slice((long)FirstRow * channels, (long)Rows * channels), Rows, channels);
    }

    /// <summary>
    /// Calls back with one block of outputs after another and the matrix [output pixels, elements] of what their
    /// windows see: the array itself for a window of one pixel, else scratch memory, into which <paramref name="x"/> is
    /// unfolded if asked.
    /// </summary>
    private static void ForEachBlock(DeviceArray x, SlidingWindow window, bool unfolds, Action<Block, Matrix> action)
    {
        FeatureMap output = window.Output(1);
        int lines = checked(output.Images * output.Height), elements = window.Elements;
        if (lines == 0)
            return;
        if (window.IsPointwise)
        {
            var all = new Block(0, lines, output.Width);
            action(all, new Matrix(x, all.Rows, elements));
            return;
        }
        int each = Math.Min(lines, LinesAtOnce(x.Device, window));
        DeviceArray scratch = x.Device.Allocate((long)each * output.Width * elements, x.Device.Activations);
        for (int first = 0; first < lines; first += each)
        {
            var block = new Block(first, Math.Min(each, lines - first), output.Width);
            DeviceArray unfolded = scratch.Slice(0, (long)block.Rows * elements);
            if (unfolds)
                Unfold(x, unfolded, window, block);
            action(block, new Matrix(unfolded, block.Rows, elements));
        }
        x.Device.Free(scratch);
    }

    // By sizes alone, so that the order of the sums is the same with any number of threads. On a GPU whole images,
    // whose input gradients are then complete in one pass and rounded once.
    private static int LinesAtOnce(Device device, SlidingWindow window)
    {
        FeatureMap output = window.Output(1);
        int elements = window.Elements;
        if (device is CpuDevice)
            return Math.Max(1, Math.Max(LeastRowsOnCpu, UnfoldedOnCpu / elements) / output.Width);
        return (int)Math.Clamp(UnfoldedOnGpu / ((long)output.Height * output.Width * elements), 1, output.Images)
            * output.Height;
    }

    private static void Unfold(DeviceArray x, DeviceArray unfolded, SlidingWindow window, Block block)
    {
        switch (x.Device)
        {
            case CpuDevice host: UnfoldCpu(host, x, unfolded, window, block); break;
            case GpuDevice gpu: UnfoldGpu(gpu, x, unfolded, window, block); break;
            default: throw Check.NoImplementation(nameof(Convolution), x.Device);
        }
    }

    private static void CheckLengths(SlidingWindow window, int features, DeviceArray x, DeviceArray weight,
        DeviceArray y)
    {
        window.Check();
        ArgumentOutOfRangeException.ThrowIfLessThan(features, 1);
        Check.Length(x, window.Input.Count, nameof(x));
        Check.OptionalLength(weight, (long)features * window.Elements, nameof(weight));
        Check.Length(y, window.Output(features).Count, nameof(y));
    }

    private static void CheckEpilogue<TEpilogue>(TEpilogue epilogue, FeatureMap output) where TEpilogue : struct,
        ICpuEpilogue =>
        epilogue.CheckFits(checked((int)output.Pixels), output.Channels);

    /// <summary>An epilogue of all output pixels, applied to those of one block.</summary>
    private readonly struct FromRow<TEpilogue>(TEpilogue inner, Block block, int features) : ICpuEpilogue
        where TEpilogue : struct, ICpuEpilogue
    {
        public V Apply<V>(V product, int row, int column, int lanes) where V : struct, ILanes<V> =>
            inner.Apply(product, row + block.FirstRow, column, lanes);

        // The whole of it has been checked before.
        public void CheckFits(int rows, int columns)
        {
        }

        public GpuEpilogue OnGpu => inner.OnGpu is { Extra.IsNull: false } whole
            ? whole with { Extra = block.RowsOf(whole.Extra, features).Data }
            : inner.OnGpu;
    }
}
