using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <summary>How long an operation takes, and how near that is to what the machine can do.</summary>
/// <param name="Name">Operation and direction.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="Milliseconds">Median of the repetitions.</param>
/// <param name="Gflops">Floating-point operations a second / 1e9; null where only memory can be the limit.</param>
/// <param name="GigabytesPerSecond">Bytes of operands and results a second / 1e9, where they are what counts.</param>
/// <param name="Ratio">To the device's measured rate of arithmetic or of memory, whichever takes longer; above 1 where
/// the operands stay in a cache.</param>
public sealed record BenchmarkRow(string Name, string Shape, double Milliseconds, double? Gflops,
    double? GigabytesPerSecond,
    double Ratio);

/// <summary>
/// Times every operation at the shapes of ViT-B/32 and ViT-B/16, with numbers stored as the device stores them.
/// </summary>
/// <param name="device">Where to run.</param>
/// <param name="sizes">The shapes.</param>
/// <param name="peakGflops">The device's rate of arithmetic, see <see cref="CpuRoofline"/> and
/// <see cref="GpuRoofline"/>.</param>
/// <param name="bandwidth">The device's memory bandwidth, GB/s.</param>
public sealed partial class OperationBenchmark(Device device, BenchmarkSizes sizes, double peakGflops, double bandwidth)
    : IDisposable
{
    /// <summary>An operation that can be measured; its arrays live until a case of other arrays is asked for.</summary>
    private readonly record struct Case(string Name, string Shape, Func<BenchmarkRow> Run);

    private const ElementType Float = ElementType.Float32;

    private readonly List<BenchmarkArray> _arrays = [];

    private int Width => sizes.Width;

    private int Hidden => sizes.Hidden;

    private ElementType Stored => device.Activations;

    /// <summary>A row each operation, as they are measured.</summary>
    /// <param name="only">Part of the name of those to be measured; empty for all.</param>
    /// <param name="known">Names and shapes that are not measured again.</param>
    public IEnumerable<BenchmarkRow> Run(string only = "", IReadOnlySet<(string Name, string Shape)>? known = null) =>
        from measure in MatMuls().Concat(Attentions()).Concat(Rows()).Concat(Elements()).Concat(Pictures())
        .Concat(Tokens())
            .Concat(Losses()).Concat(Convolutions())
        where measure.Name.Contains(only, StringComparison.OrdinalIgnoreCase)
            && known?.Contains((measure.Name, measure.Shape)) is not true
        select measure.Run();

    /// <inheritdoc/>
    public void Dispose() => End(0);

    private IEnumerable<Case> MatMuls()
    {
        foreach (int rows in sizes.MatMulRows)
            foreach ((int inner, int columns) in new[] { (Width, Width), (Width, 3 * Width), (Width, Hidden),
                (Hidden, Width) })
            {
                using var scope = new Scope(this);
                BenchmarkArray x = Numbers(rows, inner), weight = Numbers(columns, inner), bias = Floats(columns),
                    y = Numbers(rows, columns);
                if (device is GpuDevice)
                {
                    yield return Product("matmul NT, bias", rows, inner, columns, () => Gemm.Run(new(x, rows, inner),
                        new Matrix(weight, columns, inner).Transposed, new(y, rows, columns), new BiasEpilogue(bias)));
                    if (!sizes.FusedRows.Contains(rows) || (inner, columns) != (Width, Hidden))
                        foreach (Case gradient in Gradients(x, weight, y, (rows, inner, columns)))
                            yield return gradient;
                    continue;
                }
                var packed = new Lazy<PackedMatrix>(
                    () => PackedMatrix.Pack(new Matrix(weight, columns, inner).Transposed));
                try
                {
                    yield return Product("matmul NT, bias, packed weight", rows, inner, columns,
                        () => Gemm.Run(new(x, rows, inner), packed.Value, new(y, rows, columns),
                            new BiasEpilogue(bias)));
                }
                finally
                {
                    if (packed.IsValueCreated)
                        packed.Value.Dispose();
                }
            }
        foreach (int rows in sizes.FusedRows)
        {
            using var scope = new Scope(this);
            BenchmarkArray x = Numbers(rows, Width), weight = Numbers(Hidden, Width), bias = Floats(Hidden),
                y = Numbers(rows, Hidden), before = Numbers(rows, Hidden);
            yield return Product("matmul NT, bias, QuickGELU", rows, Width, Hidden, () => Gemm.Run(
                new(x, rows, Width), new Matrix(weight, Hidden, Width).Transposed, new(y, rows, Hidden),
                new ActivationEpilogue<QuickGelu>(bias, before, Hidden)));
            foreach (Case gradient in Gradients(x, weight, y, (rows, Width, Hidden)))
                yield return gradient;
            BenchmarkArray gradients = Floats(Hidden, Width);
            yield return Product("matmul TN, accumulate", rows, Width, Hidden, () => Gemm.Run(
                new Matrix(y, rows, Hidden).Transposed, new(x, rows, Width), new(gradients, Hidden, Width),
                accumulate: true, scale: 1e-6f));
        }
    }

    // Gradients of y = x W^T, with y in the place of its gradient. A weight's gradient is fp32.
    private IEnumerable<Case> Gradients(BenchmarkArray x, BenchmarkArray weight, BenchmarkArray y,
        (int Rows, int Inner, int Columns) shape)
    {
        (int rows, int inner, int columns) = shape;
        BenchmarkArray dx = Numbers(rows, inner), dweight = Floats(columns, inner);
        yield return Product("matmul NN, gradient by the input", rows, inner, columns,
            () => Gemm.Run(new Matrix(y, rows, columns), new Matrix(weight, columns, inner), new(dx, rows, inner)));
        yield return Product("matmul TN, gradient by the weight", rows, inner, columns,
            () => Gemm.Run(new Matrix(y, rows, columns).Transposed, new Matrix(x, rows, inner),
                new(dweight, columns, inner)));
    }

    private IEnumerable<Case> Attentions()
    {
        foreach ((int samples, int tokens, int width, int heads, bool causal) in sizes.Attentions)
        {
            using var scope = new Scope(this);
            int rows = samples * tokens, head = width / heads;
            var shapes = new Attention.Sizes(samples, heads, head, tokens, tokens, causal);
            BenchmarkArray qkv = Numbers(rows, 3 * width), y = Numbers(rows, width), dy = Numbers(rows, width),
                dqkv = Numbers(rows, 3 * width), sums = Floats((int)shapes.Statistics);
            // Two products forward, five backward; a causal mask leaves half of the pairs and the diagonal.
            double pairs = causal ? tokens * (tokens + 1) / 2.0 : (double)tokens * tokens;
            double product = 2.0 * samples * heads * pairs * head;
            string shape = $"{samples}x{tokens}x{width}, {heads} heads{(causal ? ", causal" : "")}";
            // Forward q, k, v and the result; backward these, its gradient, and three gradients.
            yield return Compute("attention forward", shape, 2 * product,
                () => Attention.Forward(shapes, new(Of(qkv, 0), Of(qkv, 1), Of(qkv, 2)), new(y, 0, width),
                    sums), 4 * y.Bytes);
            yield return Compute("attention backward", shape, 5 * product, () =>
                Attention.Backward(shapes, new(Of(qkv, 0), Of(qkv, 1), Of(qkv, 2)), sums, new(dy, 0, width),
                    new(Of(dqkv, 0), Of(dqkv, 1), Of(dqkv, 2)),
                    device is GpuDevice ? new Attention.Operand(y, 0, width) : default),
                8 * y.Bytes);

            // Queries, keys and values stand side by side in each row.
            Attention.Operand Of(BenchmarkArray joined, int part) => new(joined, part * width, 3 * width);
        }
    }

    private IEnumerable<Case> Rows()
    {
        foreach (int rows in sizes.NormRows)
        {
            using var scope = new Scope(this);
            BenchmarkArray x = Numbers(rows, Width), gamma = Floats(Width), beta = Floats(Width),
                y = Numbers(rows, Width);
            BenchmarkArray mean = Floats(rows), rstd = Floats(rows), dx = Numbers(rows, Width),
                dgamma = Floats(Width), dbeta = Floats(Width);
            string shape = $"{rows}x{Width}";
            yield return Move("layer norm forward", shape, 2L * rows * Width,
                () => LayerNorm.Forward(x, new(gamma, beta), y, new(mean, rstd), new(rows, Width)));
            yield return Move("layer norm backward", shape, 3L * rows * Width, () =>
                LayerNorm.Backward(x, gamma, new(mean, rstd), y, new(dx, dgamma, dbeta), new(rows, Width)));
            yield return Move("column sum", shape, (long)rows * Width, () => ColumnSum.Forward(x, dbeta, rows, Width,
                Width));
            // Features are fp32 everywhere.
            BenchmarkArray features = Floats(rows, Width), normal = Floats(rows, Width),
                dfeatures = Floats(rows, Width);
            yield return Move("L2 normalize forward", shape, 2L * rows * Width,
                () => L2Normalize.Forward(features, normal, rstd, rows, Width), Float);
            yield return Move("L2 normalize backward", shape, 3L * rows * Width,
                () => L2Normalize.Backward(normal, rstd, features, dfeatures, rows, Width), Float);
        }
    }

    private IEnumerable<Case> Elements()
    {
        int rows = sizes.ElementRows;
        long count = (long)rows * Hidden;
        string shape = $"{rows}x{Hidden}";
        {
            using var scope = new Scope(this);
            BenchmarkArray a = Numbers(rows, Hidden), b = Numbers(rows, Hidden), y = Numbers(rows, Hidden);
            yield return Move("QuickGELU forward", shape, 2 * count, () => Elementwise.Forward<QuickGelu>(a, y));
            yield return Move("QuickGELU backward", shape, 3 * count, () => Elementwise.Backward<QuickGelu>(a, b, y));
            yield return Move("add", shape, 3 * count, () => Add.Forward(a, b, y));
        }
        {
            using var scope = new Scope(this);
            BenchmarkArray a = Floats(rows, Hidden), b = Floats(rows, Hidden), y = Floats(rows, Hidden),
                one = Floats(1);
            yield return Move("multiply", shape, 3 * count, () => Multiply.Forward(a, b, y), Float);
            yield return Move("scale", shape, 2 * count, () => Scale.Forward(a, 0.5f, y), Float);
            yield return Move("sum", shape, count, () => Sum.Forward(a, one), Float);
            if (Stored != Float)
            {
                BenchmarkArray half = Numbers(rows, Hidden);
                yield return MoveBytes($"cast fp32 to {Stored.Describe()}", shape, a.Bytes + half.Bytes, () =>
                    Cast.Forward(a, half));
            }
        }
        {
            const int Frames = 16;
            using var scope = new Scope(this);
            int clips = sizes.TokenSamples;
            BenchmarkArray x = Floats(clips * Frames, sizes.Embed), y = Floats(clips, sizes.Embed);
            yield return Move($"mean over {Frames} frames", $"{clips}x{Frames}x{sizes.Embed}",
                (long)clips * (Frames + 1) * sizes.Embed,
                () => Mean.Forward(x, y, clips, Frames, sizes.Embed), Float);
        }
    }

    // On the processor the threads that load pictures do this, each for itself.
    private IEnumerable<Case> Pictures()
    {
        if (device is not GpuDevice)
            yield break;
        using var scope = new Scope(this);
        int samples = sizes.TokenSamples, size = sizes.ImageSize, values = 3 * size * size;
        long count = (long)samples * values;
        BenchmarkArray pixels = Own(count, () =>
        {
            var bytes = new byte[count];
            new Random(1).NextBytes(bytes);
            return device.From(bytes);
        });
        BenchmarkArray patches = Own(count * Stored.Size(), () => device.Allocate(count, Stored)), table = Own(0,
            () => device.From(Normalize.Table([0.5f, 0.5f, 0.5f], [0.25f, 0.25f, 0.25f])));
        var pictures = new Lazy<(ImageView, PixelBox?)[]>(() => [.. Enumerable.Range(0, samples).Select(sample =>
            (new ImageView(pixels.Value.Slice((long)sample * values, values), size, size, 3), (PixelBox?)null))]);
        yield return MoveBytes("normalize into patches", $"{samples}x{size}x{size}x3", pixels.Bytes + patches.Bytes,
            () => Normalize.Forward(pictures.Value, table, patches, sizes.PatchSize));
    }

    private IEnumerable<Case> Tokens()
    {
        const int Prompts = 35, Length = 11, Learned = 4, First = 5;
        int samples = sizes.TokenSamples, patches = sizes.Patches, textWidth = sizes.TextWidth,
            vocabulary = sizes.Vocabulary;
        using var scope = new Scope(this);
        BenchmarkArray x = Numbers(samples * patches, Width), cls = Floats(Width),
            positions = Floats(patches + 1, Width);
        BenchmarkArray y = Numbers(samples * (patches + 1), Width), dpositions = Floats(patches + 1, Width),
            dcls = Floats(Width);
        long moved = (2L * samples * patches + samples) * Width;
        yield return Move("class token and positions forward", $"{samples}x{patches}x{Width}", moved,
            () => AddClassToken.Forward(x, cls, positions, y, new(samples, patches, Width)));
        yield return Move("class token and positions backward", $"{samples}x{patches}x{Width}", moved,
            () => AddClassToken.Backward(y, x, dcls, dpositions, new(samples, patches, Width)));

        BenchmarkArray table = Floats(vocabulary, textWidth), dtable = Floats(vocabulary, textWidth),
            places = Floats(Length, textWidth);
        BenchmarkArray ids = Integers(Enumerable.Range(0, Prompts * Length).Select(i => i * 101 % vocabulary));
        BenchmarkArray text = Numbers(Prompts * Length, textWidth), prompts = Numbers(Prompts * Length, textWidth),
            learned = Floats(Prompts * Learned, textWidth);
        string shape = $"{Prompts}x{Length}x{textWidth}";
        yield return Move("gather forward", shape, 2L * Prompts * Length * textWidth,
            () => Gather.Forward(table, ids, text, vocabulary, textWidth));
        yield return Move("gather backward, accumulate", shape, 3L * Prompts * Length * textWidth,
            () => Gather.Backward(ids, text, new(dtable, Accumulate: true), vocabulary, textWidth));
        yield return Move("splice forward", shape, 2L * Prompts * Length * textWidth,
            () => InsertEmbeddings.Forward(text, learned, prompts, new(Prompts, Length, Learned, First, textWidth)));
        yield return Move("add positions forward", shape, 2L * Prompts * Length * textWidth,
            () => AddPositions.Forward(text, places, prompts, Prompts, Length, textWidth));
    }

    private IEnumerable<Case> Losses()
    {
        const int Batch = 128, Classes = 7, Subclasses = 5;
        using var scope = new Scope(this);
        BenchmarkArray square = Floats(Batch, Batch), dsquare = Floats(Batch, Batch), rowSums = Floats(Batch),
            loss = Floats(1);
        BenchmarkArray targets = Integers(Enumerable.Range(0, Batch)), dloss = Ones(1);
        yield return Move("softmax cross-entropy forward", $"{Batch}x{Batch}", (long)Batch * Batch,
            () => SoftmaxCrossEntropy.Forward(square, targets, loss, rowSums, Batch, Batch), Float);
        yield return Move("softmax cross-entropy backward", $"{Batch}x{Batch}", 2L * Batch * Batch,
            () => SoftmaxCrossEntropy.Backward(square, targets, rowSums, dloss, dsquare, Batch, Batch), Float);

        BenchmarkArray logits = Floats(Batch, Classes * Subclasses), dlogits = Floats(Batch, Classes * Subclasses);
        BenchmarkArray losses = Floats(2), dlosses = Ones(2), alpha = Floats(Batch);
        BenchmarkArray labels = Integers(Enumerable.Range(0, Batch).Select(i => i % Classes));
        BenchmarkArray nearest = Integers(new int[Batch]), counts = Integers(new int[Classes * Subclasses]);
        string shape = $"{Batch}x{Classes}x{Subclasses}";
        yield return Move("CLIPER loss forward", shape, (long)Batch * Classes * Subclasses, () =>
            CliperLoss.Forward(logits, labels, losses, new(alpha, nearest, counts), new(Batch, Classes, Subclasses),
                EmptySubclasses.MinusOneNinetyNinth), Float);
        yield return Move("CLIPER loss backward", shape, 2L * Batch * Classes * Subclasses, () =>
            CliperLoss.Backward(logits, labels, new(alpha, nearest, default), dlosses, dlogits,
                new(Batch, Classes, Subclasses)),
            Float);
    }

    private Case Product(string name, int rows, int inner, int columns, Action run) =>
        Compute(name, $"{rows}x{inner}x{columns}", 2.0 * rows * inner * columns, run);

    // With few operations a byte, the bytes can take longer on a GPU.
    private Case Compute(string name, string shape, double flops, Action run, long bytes = 0) => new(name, shape, () =>
    {
        double seconds = Timing.Median(device, run, sizes.OperationSeconds), gflops = flops / seconds / 1e9;
        return new BenchmarkRow(name, shape, 1e3 * seconds, gflops, null,
            Math.Max(gflops / peakGflops, bytes / seconds / 1e9 / bandwidth));
    });

    // Elements that cannot but be read or written, of the activations' type unless said.
    private Case Move(string name, string shape, long elements, Action run, ElementType? type = null) =>
        MoveBytes(name, shape, elements * (type ?? Stored).Size(), run);

    private Case MoveBytes(string name, string shape, long bytes, Action run) => new(name, shape, () =>
    {
        double seconds = Timing.Median(device, run, sizes.OperationSeconds), rate = bytes / seconds / 1e9;
        return new BenchmarkRow(name, shape, 1e3 * seconds, null, rate, rate / bandwidth);
    });

    /// <summary>
    /// Random numbers in [-1, 1): zeros would make arithmetic look cheaper than it is. A million and then the same
    /// again, for drawing all would take longer than measuring.
    /// </summary>
    internal static float[] Random(long count, int seed)
    {
        const int Period = 1_000_003;
        var random = new Random(seed);
        var values = new float[count];
        foreach (ref float value in values.AsSpan(0, (int)Math.Min(count, Period)))
            value = random.NextSingle() * 2 - 1;
        for (int start = Period; start < values.Length; start += Period)
            values.AsSpan(0, Math.Min(Period, values.Length - start)).CopyTo(values.AsSpan(start));
        return values;
    }

    /// <summary>Random numbers in fp32.</summary>
    private BenchmarkArray Floats(int rows, int columns = 1) => Drawn((long)rows * columns, Float);

    /// <summary>Random numbers as activations are stored.</summary>
    private BenchmarkArray Numbers(int rows, int columns) => Drawn((long)rows * columns, Stored);

    private BenchmarkArray Drawn(long count, ElementType type)
    {
        int seed = _arrays.Count;
        return Own(count * type.Size(), () =>
        {
            DeviceArray floats = device.From(Random(count, seed));
            if (type == Float)
                return floats;
            DeviceArray numbers = device.Allocate(count, type);
            Cast.Forward(floats, numbers);
            device.Free(floats);
            return numbers;
        });
    }

    private BenchmarkArray Integers(IEnumerable<int> values)
    {
        int[] all = [.. values];
        return Own(sizeof(int) * all.LongLength, () => device.From(all));
    }

    private BenchmarkArray Ones(int count) =>
        Own(sizeof(float) * count, () => device.From(Enumerable.Repeat(1f, count).ToArray()));

    private BenchmarkArray Own(long bytes, Func<DeviceArray> make)
    {
        var array = new BenchmarkArray(bytes, make);
        _arrays.Add(array);
        return array;
    }

    /// <summary>Frees the arrays that were made since.</summary>
    private readonly struct Scope(OperationBenchmark benchmark) : IDisposable
    {
        private readonly int _start = benchmark._arrays.Count;

        public void Dispose() => benchmark.End(_start);
    }

    private void End(int start)
    {
        foreach (BenchmarkArray array in _arrays[start..])
            array.Free();
        _arrays.RemoveRange(start, _arrays.Count - start);
    }
}
