using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <content>
/// Nothing is unfolded where lines are long: what the windows of a line of outputs see of one line of the input is a
/// matrix whose rows overlap, one every stride pixels, in that line with its padding. Each sum of a GEMM runs over as
/// many such matrices as the kernel has rows.
/// </content>
public static unsafe partial class Convolution
{
    // Outputs of a line that fill the registers of a GEMM, elements of a kernel row that make a loop, elements whose
    // windows stay in the first-level cache, and floats of a weight that stays in the second-level cache.
    private const int LeastColumns = 10, LeastRowElements = 32, MostElements = 1536, MostWeightFloats = 1 << 16;

    // Floats of padded lines that a unit of work has in the second-level cache.
    private const int PaddedFloats = 1 << 15;

    // Pixels that a tile of a weight's gradient sums over before the next tile: their gradients stay in the
    // second-level cache.
    private const int PixelsAtOnce = 256, ChannelsOfRegisters = 16;

    // By sizes and dtype alone, because the sums are in another order than those of unfolded elements. bf16 operands
    // are packed, so overlapping rows would gain nothing.
    private static bool HasLongLines(CpuDevice host, SlidingWindow window, int features) =>
        host.Bf16 is null && !window.IsPointwise
        && window.Across.Outputs(window.Input.Width) >= LeastColumns
        && window.Across.Kernel * window.Input.Channels >= LeastRowElements && window.Elements <= MostElements
        && (long)window.Elements * features <= MostWeightFloats;

    private static void ForwardLines<TEpilogue>(CpuDevice host, DeviceArray x, PackedMatrix weight, DeviceArray y,
        SlidingWindow window, TEpilogue epilogue, bool accumulate) where TEpilogue : struct, ICpuEpilogue
    {
        // The lines of a unit change no sum: few images are split further.
        var lines = new PaddedLines(x, window, LinesOf(window) / (BlocksPerThread * host.Threads));
        RunUnits(host, lines.Units, new ForwardLineUnits<TEpilogue>(host, lines, weight, y, epilogue, accumulate));
    }

    // Whole registers of channels: a tile that reached over the last pixel would leave the array.
    private static bool HasSmallPixels(CpuDevice host, SlidingWindow window, int features) =>
        host.Bf16 is null && window.IsPointwise
        && window.Input.Channels % ChannelsOfRegisters == 0
        && (long)window.Input.Channels * features <= MostWeightFloats;

    private static void BackwardWeightPixels(CpuDevice host, DeviceArray x, DeviceArray dy, GradientTarget dweight,
        SlidingWindow window, int features)
    {
        int slices = (int)Math.Clamp(window.Input.Pixels / PixelsAtOnce, 1, MostSlices);
        SumSlices(host, dweight, slices, parts => new WeightPixelUnits(host, x, dy, parts, window, features, slices));
    }

    private static void BackwardWeightLines(CpuDevice host, DeviceArray x, DeviceArray dy, GradientTarget dweight,
        SlidingWindow window, int features)
    {
        var lines = new PaddedLines(x, window, int.MaxValue);
        int slices = Math.Min(lines.Units, MostSlices);
        SumSlices(host, dweight, slices, parts => new WeightLineUnits(host, lines, dy, parts, features, slices));
    }

    /// <summary>Units of lines of outputs, each of one image, and the lines of the input under them with their
    /// padding.</summary>
    private readonly struct PaddedLines
    {
        private readonly DeviceArray _x;
        private readonly int _each, _unitsPerImage;

        public PaddedLines(DeviceArray x, SlidingWindow window, int most)
        {
            (_x, Window, Output) = (x, window, window.Output(1));
            Stride = ((Output.Width - 1) * window.Across.Stride + window.Across.Kernel) * window.Input.Channels;
            int fitting = (PaddedFloats / Stride - window.Down.Kernel) / window.Down.Stride + 1;
            _each = Math.Clamp(Math.Min(fitting, most), 1, Output.Height);
            _unitsPerImage = (Output.Height + _each - 1) / _each;
        }

        public SlidingWindow Window { get; }

        /// <summary>The result, of one channel.</summary>
        public FeatureMap Output { get; }

        /// <summary>Elements of a padded line.</summary>
        public int Stride { get; }

        /// <summary>Elements between windows of neighboring outputs.</summary>
        public int Step => Window.Across.Stride * Window.Input.Channels;

        /// <summary>Elements of a row of the kernel.</summary>
        public int RowElements => Window.Across.Kernel * Window.Input.Channels;

        public int Units => Output.Images * _unitsPerImage;

        /// <summary>Floats of a unit's padded lines, and some behind them that a tile may read.</summary>
        public long Floats => ((_each - 1L) * Window.Down.Stride + Window.Down.Kernel) * Stride + 64;

        public Block At(int unit)
        {
            int image = unit / _unitsPerImage, first = unit % _unitsPerImage * _each;
            return new Block(image * Output.Height + first, Math.Min(_each, Output.Height - first), Output.Width);
        }

        /// <summary>Copies the lines of the input that the windows of a unit see, with zeros in the padding.</summary>
        public void Pad(Block block, float* target)
        {
            (FeatureMap input, WindowAxis down, WindowAxis across) = Window;
            int image = block.FirstLine / Output.Height, first = down.Start(block.FirstLine % Output.Height),
                count = (block.Lines - 1) * down.Stride + down.Kernel,
                left = Math.Min(across.Before * input.Channels, Stride),
                inside = (int)Math.Min(input.Line, Stride - left);
            for (int line = 0; line < count; line++, target += Stride)
            {
                var padded = new Span<float>(target, Stride);
                int row = first + line;
                if (row < 0 || row >= input.Height)
                {
                    padded.Clear();
                    continue;
                }
                padded[..left].Clear();
                new Span<float>(_x.Floats + ((long)image * input.Height + row) * input.Line, inside)
                    .CopyTo(padded[left..]);
                padded[(left + inside)..].Clear();
            }
        }
    }

    private readonly struct ForwardLineUnits<TEpilogue>(CpuDevice host, PaddedLines lines, PackedMatrix weight,
        DeviceArray y, TEpilogue epilogue, bool accumulate) : IUnitBody where TEpilogue : struct, ICpuEpilogue
    {
        public void Run<V>(int unit, int worker) where V : struct, ILanes<V>
        {
            int width = lines.Output.Width, features = weight.Columns;
            var problem = new CpuGemmProblem(new Matrix(default, width, weight.Rows, lines.Step, 1), default, weight,
                new Matrix(default, width, features), accumulate, 1);
            var plan = new CpuGemm<V, FromRow<TEpilogue>>.Plan(problem, 1);
            float* padded = (float*)host.Pool.Scratch(worker, (lines.Floats + plan.ScratchFloats) * sizeof(float)),
                scratch = padded + lines.Floats;
            Block block = lines.At(unit);
            lines.Pad(block, padded);
            for (int line = 0; line < block.Lines; line++)
            {
                var one = new Block(block.FirstLine + line, 1, width);
                problem = problem with
                {
                    A = padded + (long)line * lines.Window.Down.Stride * lines.Stride,
                    C = y.Floats + (long)one.FirstRow * features
                };
                CpuGemm<V, FromRow<TEpilogue>>.RunRanges(problem, plan, new(epilogue, one, features),
                    lines.Window.Down.Kernel, lines.Stride, scratch);
            }
        }
    }

    /// <summary>Sums over the lines of a slice, in their order.</summary>
    private readonly struct WeightLineUnits(CpuDevice host, PaddedLines lines, DeviceArray dy, DeviceArray partial,
        int features, int slices) : IUnitBody
    {
        public void Run<V>(int slice, int worker) where V : struct, ILanes<V>
        {
            int elements = lines.Window.Elements, width = lines.Output.Width, kernelRows = lines.Window.Down.Kernel,
                down = lines.Window.Down.Stride, together = Math.Max(1, PixelsAtOnce / width);
            // The gradients of lines follow each other; their padded inputs are further apart.
            var parts = new RangesOfK(0, 0, (nint)down * lines.Stride - (nint)width * lines.Step);
            var product = new WeightProduct(features, elements, lines.RowElements, lines.Step);
            float* tile = (float*)host.Pool.Scratch(worker, (WeightProduct.TileFloats<V>() + lines.Floats)
                * sizeof(float)), padded = tile + WeightProduct.TileFloats<V>(),
                sums = partial.Floats + (long)slice * features * elements;
            int first = (int)((long)lines.Units * slice / slices);
            int end = (int)((long)lines.Units * (slice + 1) / slices);
            for (int unit = first; unit < end; unit++)
            {
                Block block = lines.At(unit);
                lines.Pad(block, padded);
                for (int line = 0; line < block.Lines; line += together)
                    for (int k = 0; k < kernelRows; k++)
                        product.Add<V>(dy.Floats + (long)(block.FirstLine + line) * width * features,
                            padded + (long)(line * down + k) * lines.Stride, width, sums + k * lines.RowElements, tile,
                            parts with { More = Math.Min(together, block.Lines - line) - 1 },
                            accumulate: unit > first || line > 0);
            }
        }
    }

    /// <summary>A window of one pixel: sums over the pixels of a slice, in their order.</summary>
    private readonly struct WeightPixelUnits(CpuDevice host, DeviceArray x, DeviceArray dy, DeviceArray parts,
        SlidingWindow window, int features, int slices) : IUnitBody
    {
        public void Run<V>(int slice, int worker) where V : struct, ILanes<V>
        {
            int channels = window.Input.Channels;
            var product = new WeightProduct(features, channels, channels, channels);
            float* tile = (float*)host.Pool.Scratch(worker, WeightProduct.TileFloats<V>() * sizeof(float)),
                sums = parts.Floats + (long)slice * features * channels;
            long pixels = window.Input.Pixels, first = pixels * slice / slices, end = pixels * (slice + 1) / slices;
            for (long pixel = first; pixel < end; pixel += PixelsAtOnce)
                product.Add<V>(dy.Floats + pixel * features, x.Floats + pixel * channels,
                    (int)Math.Min(PixelsAtOnce, end - pixel), sums, tile, default, accumulate: pixel > first);
        }
    }

    /// <summary>
    /// sums[f, e] (+)= the sum over pixels j of dy[j, f] x[j, e]: a GEMM whose operands are read where they lie, one
    /// pixel of both for each k.
    /// </summary>
    /// <param name="features">Number of f, and elements from one pixel of dy to the next.</param>
    /// <param name="stride">Elements from one f of the sums to the next.</param>
    /// <param name="row">Number of e.</param>
    /// <param name="step">Elements from one pixel of x to the next.</param>
    private readonly struct WeightProduct(int features, int stride, int row, int step)
    {
        public static int TileFloats<V>() where V : struct, ILanes<V> =>
            MicroKernel.MaxMr<V>() * CpuGemm<V, NoEpilogue>.Nr;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Add<V>(float* dy, float* x, int pixels, float* sums, float* tile, RangesOfK parts, bool accumulate)
            where V : struct, ILanes<V>
        {
            int nr = CpuGemm<V, NoEpilogue>.Nr;
            var panels = new Partition(features, MicroKernel.MaxMr<V>());
            for (int element = 0; element < row; element += nr)
            {
                int columns = Math.Min(nr, row - element);
                bool isWhole = columns == nr || columns == V.Count;
                for (int panel = 0; panel < panels.Count; panel++)
                {
                    int feature = panels.Start(panel), mr = panels.Size(panel);
                    float* c = sums + (long)feature * stride + element, target = isWhole ? c : tile;
                    int targetRow = isWhole ? stride : nr;
                    // The pixels after these come next: what this tile reads of each is prefetched.
                    long all = (long)pixels * (parts.More + 1);
                    byte* next = (byte*)(element == 0 ? dy + all * features + feature : x + all * step + element);
                    nint nextStep = (element == 0 ? features : step) * sizeof(float);
                    if (columns > V.Count)
                        MicroKernel.Run<V, N2>(mr, pixels, dy + feature, 1, features, x + element, step, target,
                            targetRow, 1, accumulate && isWhole, next, nextStep, parts);
                    else
                        MicroKernel.Run<V, N1>(mr, pixels, dy + feature, 1, features, x + element, step, target,
                            targetRow, 1, accumulate && isWhole, next, nextStep, parts);
                    if (!isWhole)
                        CpuGemm<V, NoEpilogue>.CopyEdge(tile, c, stride, mr, columns, accumulate);
                }
            }
        }
    }
}
