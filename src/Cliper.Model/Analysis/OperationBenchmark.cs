using System.Diagnostics;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Analysis;

/// <summary>How long an operation takes, and how near that is to what the machine can do.</summary>
/// <param name="Name">Operation and direction.</param>
/// <param name="Shape">Its sizes.</param>
/// <param name="Milliseconds">Median of the repetitions.</param>
/// <param name="Gflops">Floating-point operations a second / 1e9; null where memory is the limit.</param>
/// <param name="GigabytesPerSecond">Bytes of operands and results a second / 1e9; null where arithmetic is the limit.</param>
/// <param name="Ratio">To the measured FMA peak or memory bandwidth; above 1 where the operands stay in a cache.</param>
public sealed record BenchmarkRow(string Name, string Shape, double Milliseconds, double? Gflops, double? GigabytesPerSecond,
    double Ratio);

/// <summary>Times every operation on the host at the shapes of ViT-B/32 and ViT-B/16.</summary>
public sealed class OperationBenchmark : IDisposable
{
    private const int Width = 768, Hidden = 3072, Heads = 12, Embed = 512, Vocabulary = 49_408, TextWidth = 512;
    private const double SecondsACase = 0.2;
    private const int FewestRepetitions = 3;

    /// <summary>An operation that can be measured; its arrays live until the next one is asked for.</summary>
    private readonly record struct Case(string Name, Func<BenchmarkRow> Run);

    private readonly HostDevice _device;
    private readonly double _gflops, _bandwidth;
    private readonly List<DeviceArray> _arrays = [];

    /// <summary>A benchmark on <paramref name="device"/>.</summary>
    /// <param name="device">Where to run.</param>
    /// <param name="peakGflops">The machine's FMA peak, see <see cref="HostPeak"/>.</param>
    /// <param name="bandwidth">The machine's memory bandwidth, GB/s.</param>
    public OperationBenchmark(HostDevice device, double peakGflops, double bandwidth) =>
        (_device, _gflops, _bandwidth) = (device, peakGflops, bandwidth);

    /// <summary>A row each operation, as they are measured.</summary>
    /// <param name="only">Part of the name of those to be measured; empty for all.</param>
    public IEnumerable<BenchmarkRow> Run(string only = "") =>
        from measure in MatMuls().Concat(Attentions()).Concat(Rows()).Concat(Elements()).Concat(Tokens()).Concat(Losses())
        where measure.Name.Contains(only, StringComparison.OrdinalIgnoreCase)
        select measure.Run();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceArray array in _arrays)
            _device.Free(array);
        _arrays.Clear();
    }

    private IEnumerable<Case> MatMuls()
    {
        foreach (int rows in new[] { 50, 197, 800, 1576 })
            foreach ((int inner, int columns) in new[] { (Width, Width), (Width, 3 * Width), (Width, Hidden), (Hidden, Width) })
            {
                using var scope = new Scope(this);
                DeviceArray x = New(rows, inner), weight = New(columns, inner), bias = New(columns), y = New(rows, columns);
                using PackedMatrix packed = PackedMatrix.Pack(new Matrix(weight, columns, inner).Transposed);
                yield return Compute("matmul NT, bias, packed weight", $"{rows}x{inner}x{columns}", 2.0 * rows * inner * columns, () =>
                    MatMul.Run(new Matrix(x, rows, inner), packed, new Matrix(y, rows, columns), new BiasEpilogue(bias)));
            }
        {
            const int Rows = 800;
            using var scope = new Scope(this);
            DeviceArray x = New(Rows, Width), weight = New(Hidden, Width), bias = New(Hidden), y = New(Rows, Hidden), before = New(Rows, Hidden);
            Matrix mx = new(x, Rows, Width), mw = new(weight, Hidden, Width), my = new(y, Rows, Hidden);
            double flops = 2.0 * Rows * Width * Hidden;
            string shape = $"{Rows}x{Width}x{Hidden}";
            yield return Compute("matmul NT, bias, QuickGELU", shape, flops, () =>
                MatMul.Run(mx, mw.Transposed, my, new ActivationEpilogue<QuickGelu>(bias, before, Hidden)));
            yield return Compute("matmul NN, gradient by the input", shape, flops, () => MatMul.Run(my, mw, mx));
            yield return Compute("matmul TN, gradient by the weight", shape, flops, () => MatMul.Run(my.Transposed, mx, mw));
            yield return Compute("matmul TN, accumulate", shape, flops, () => MatMul.Run(my.Transposed, mx, mw, accumulate: true, scale: 1e-6f));
        }
    }

    private IEnumerable<Case> Attentions()
    {
        foreach ((int samples, int tokens, int width, int heads, bool causal) in new[]
            { (16, 50, Width, Heads, false), (8, 197, Width, Heads, false), (35, 77, TextWidth, 8, true), (35, 11, TextWidth, 8, true) })
        {
            using var scope = new Scope(this);
            int rows = samples * tokens, head = width / heads;
            var sizes = new Attention.Sizes(samples, heads, head, tokens, tokens, causal);
            DeviceArray qkv = New(rows, 3 * width), y = New(rows, width), dqkv = New(rows, 3 * width), sums = New((int)sizes.Statistics);
            Attention.Operand q = new(qkv, 0, 3 * width), k = new(qkv, width, 3 * width), v = new(qkv, 2 * width, 3 * width);
            Attention.Operand o = new(y, 0, width);
            Attention.Operand dq = new(dqkv, 0, 3 * width), dk = new(dqkv, width, 3 * width), dv = new(dqkv, 2 * width, 3 * width);
            // Two products forward, five backward; a causal mask leaves half of the pairs and the diagonal.
            double pairs = causal ? tokens * (tokens + 1) / 2.0 : (double)tokens * tokens;
            double product = 2.0 * samples * heads * pairs * head;
            string shape = $"{samples}x{tokens}x{width}, {heads} heads{(causal ? ", causal" : "")}";
            yield return Compute("attention forward", shape, 2 * product, () => Attention.Forward(sizes, q, k, v, default, o, sums));
            yield return Compute("attention backward", shape, 5 * product,
                () => Attention.Backward(sizes, q, k, v, default, sums, o, dq, false, dk, dv, false));
        }
    }

    private IEnumerable<Case> Rows()
    {
        foreach (int rows in new[] { 800, 1576 })
        {
            using var scope = new Scope(this);
            DeviceArray x = New(rows, Width), gamma = New(Width), beta = New(Width), y = New(rows, Width);
            DeviceArray mean = New(rows), rstd = New(rows), dx = New(rows, Width), dgamma = New(Width), dbeta = New(Width);
            string shape = $"{rows}x{Width}";
            yield return Move("layer norm forward", shape, 2L * rows * Width, () => LayerNorm.Forward(x, gamma, beta, y, mean, rstd, rows, Width));
            yield return Move("layer norm backward", shape, 3L * rows * Width, () =>
                LayerNorm.Backward(x, gamma, mean, rstd, y, dx, false, dgamma, false, dbeta, false, rows, Width));
            yield return Move("column sum", shape, (long)rows * Width, () => ColumnSum.Forward(x, dbeta, false, rows, Width, Width));
            yield return Move("L2 normalise forward", shape, 2L * rows * Width, () => L2Normalize.Forward(x, y, rstd, rows, Width));
            yield return Move("L2 normalise backward", shape, 3L * rows * Width, () => L2Normalize.Backward(y, rstd, x, dx, false, rows, Width));
        }
    }

    private IEnumerable<Case> Elements()
    {
        const int Rows = 1576;
        const long Count = (long)Rows * Hidden;
        using var scope = new Scope(this);
        DeviceArray a = New(Rows, Hidden), b = New(Rows, Hidden), y = New(Rows, Hidden), one = New(1);
        string shape = $"{Rows}x{Hidden}";
        yield return Move("QuickGELU forward", shape, 2 * Count, () => Elementwise.Forward<QuickGelu>(a, y));
        yield return Move("QuickGELU backward", shape, 3 * Count, () => Elementwise.Backward<QuickGelu>(a, b, y, false));
        yield return Move("add", shape, 3 * Count, () => Add.Forward(a, b, y));
        yield return Move("multiply", shape, 3 * Count, () => Multiply.Forward(a, b, y));
        yield return Move("scale", shape, 2 * Count, () => Scale.Forward(a, 0.5f, y));
        yield return Move("sum", shape, Count, () => Sum.Forward(a, one));
        yield return Move("mean over 16 frames", $"8x16x{Embed}", 8L * 17 * Embed,
            () => Mean.Forward(a.Slice(0, 8 * 16 * Embed), y.Slice(0, 8 * Embed), 8, 16, Embed));
    }

    private IEnumerable<Case> Tokens()
    {
        const int Samples = 8, Patches = 196, Prompts = 35, Length = 11, Learned = 4, First = 5;
        using var scope = new Scope(this);
        DeviceArray x = New(Samples * Patches, Width), cls = New(Width), positions = New(Patches + 1, Width);
        DeviceArray y = New(Samples * (Patches + 1), Width), dpositions = New(Patches + 1, Width), dcls = New(Width);
        long moved = (2L * Samples * Patches + Samples) * Width;
        yield return Move("class token and positions forward", $"{Samples}x{Patches}x{Width}", moved,
            () => AddClassToken.Forward(x, cls, positions, y, Samples, Patches, Width));
        yield return Move("class token and positions backward", $"{Samples}x{Patches}x{Width}", moved,
            () => AddClassToken.Backward(y, x, false, dcls, false, dpositions, false, Samples, Patches, Width));

        DeviceArray table = New(Vocabulary, TextWidth), dtable = New(Vocabulary, TextWidth);
        DeviceArray ids = Own(_device.From([.. Enumerable.Range(0, Prompts * Length).Select(i => i * 101 % Vocabulary)]));
        DeviceArray text = New(Prompts * Length, TextWidth), prompts = New(Prompts * Length, TextWidth), learned = New(Prompts * Learned, TextWidth);
        string shape = $"{Prompts}x{Length}x{TextWidth}";
        yield return Move("gather forward", shape, 2L * Prompts * Length * TextWidth, () => Gather.Forward(table, ids, text, Vocabulary, TextWidth));
        yield return Move("gather backward, accumulate", shape, 3L * Prompts * Length * TextWidth,
            () => Gather.Backward(ids, text, dtable, true, Vocabulary, TextWidth));
        yield return Move("splice forward", shape, 2L * Prompts * Length * TextWidth,
            () => Splice.Forward(text, learned, prompts, Prompts, Length, Learned, First, TextWidth));
        yield return Move("add positions forward", shape, 2L * Prompts * Length * TextWidth,
            () => AddPositions.Forward(text, positions.Slice(0, Length * TextWidth), prompts, Prompts, Length, TextWidth));
    }

    private IEnumerable<Case> Losses()
    {
        const int Batch = 128, Classes = 7, Subclasses = 5;
        using var scope = new Scope(this);
        DeviceArray square = New(Batch, Batch), dsquare = New(Batch, Batch), rowSums = New(Batch), loss = New(1);
        DeviceArray targets = Own(_device.From([.. Enumerable.Range(0, Batch)])), dloss = Own(_device.From([1f]));
        yield return Move("softmax cross-entropy forward", $"{Batch}x{Batch}", (long)Batch * Batch,
            () => SoftmaxCrossEntropy.Forward(square, targets, loss, rowSums, Batch, Batch));
        yield return Move("softmax cross-entropy backward", $"{Batch}x{Batch}", 2L * Batch * Batch,
            () => SoftmaxCrossEntropy.Backward(square, targets, rowSums, dloss, dsquare, false, Batch, Batch));

        DeviceArray logits = New(Batch, Classes * Subclasses), dlogits = New(Batch, Classes * Subclasses);
        DeviceArray losses = New(2), dlosses = Own(_device.From([1f, 1f])), alpha = New(Batch);
        DeviceArray labels = Own(_device.From([.. Enumerable.Range(0, Batch).Select(i => i % Classes)]));
        DeviceArray nearest = Own(_device.Allocate(Batch, ElementType.Int32)), counts = Own(_device.Allocate(Classes * Subclasses, ElementType.Int32));
        string shape = $"{Batch}x{Classes}x{Subclasses}";
        yield return Move("CLIPER loss forward", shape, (long)Batch * Classes * Subclasses, () =>
            CliperLoss.Forward(logits, labels, losses, alpha, nearest, counts, Batch, Classes, Subclasses, EmptySubclasses.MinusOneNinetyNinth));
        yield return Move("CLIPER loss backward", shape, 2L * Batch * Classes * Subclasses, () =>
            CliperLoss.Backward(logits, labels, alpha, nearest, dlosses, dlogits, false, Batch, Classes, Subclasses));
    }

    private Case Compute(string name, string shape, double flops, Action run) => new(name, () =>
    {
        double seconds = Median(run), gflops = flops / seconds / 1e9;
        return new BenchmarkRow(name, shape, 1e3 * seconds, gflops, null, gflops / _gflops);
    });

    private Case Move(string name, string shape, long elements, Action run) => new(name, () =>
    {
        double seconds = Median(run), rate = sizeof(float) * elements / seconds / 1e9;
        return new BenchmarkRow(name, shape, 1e3 * seconds, null, rate, rate / _bandwidth);
    });

    /// <summary>Median seconds of a call, after one that is not counted.</summary>
    internal static double Median(Action run, double seconds = SecondsACase)
    {
        run();
        var times = new List<double>();
        long began = Stopwatch.GetTimestamp();
        while (times.Count < FewestRepetitions || Stopwatch.GetElapsedTime(began).TotalSeconds < seconds)
        {
            long start = Stopwatch.GetTimestamp();
            run();
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        times.Sort();
        return times[times.Count / 2];
    }

    /// <summary>An array of random numbers in [-1, 1): zeros would make arithmetic look cheaper than it is.</summary>
    private DeviceArray New(int rows, int columns = 1)
    {
        var random = new Random(_arrays.Count);
        var values = new float[(long)rows * columns];
        foreach (ref float value in values.AsSpan())
            value = random.NextSingle() * 2 - 1;
        return Own(_device.From(values));
    }

    private DeviceArray Own(DeviceArray array)
    {
        _arrays.Add(array);
        return array;
    }

    /// <summary>Ends the arrays that were made since.</summary>
    private readonly struct Scope(OperationBenchmark benchmark) : IDisposable
    {
        private readonly int _start = benchmark._arrays.Count;

        public void Dispose()
        {
            foreach (DeviceArray array in benchmark._arrays[_start..])
                benchmark._device.Free(array);
            benchmark._arrays.RemoveRange(_start, benchmark._arrays.Count - _start);
        }
    }
}
