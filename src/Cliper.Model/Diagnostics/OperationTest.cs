using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <summary>
/// Every main operation on small random data, on any device, beside the same in double: what it is computed by there,
/// and whether rightly. Takes a fraction of a second, on a GPU mostly for loading the kernels.
/// </summary>
/// <param name="device">Where to compute.</param>
public sealed class OperationTest(Device device)
{
    // Multiples of eight, so that tensor cores are used where there are any.
    private const int Rows = 40, Depth = 64, Columns = 48, Heads = 2, Tokens = 21, HeadSize = Depth / Heads,
        Classes = 7;

    // Sums of at most 64 products in fp32, cut instead of rounded: 2 64 2^-24 times the products' sizes, which together
    // are at most about sqrt(64) times the largest result.
    private const double OfSums = 64.0 / (1 << 20);

    // At most eight roundings of the activations' format on the way: results, and inside attention the probabilities
    // and their gradients.
    private const int Roundings = 8;

    private readonly List<DeviceArray> _arrays = [];
    private readonly List<Result> _results = [];

    /// <summary>Result of the test of one operation.</summary>
    /// <param name="Name">The operation.</param>
    /// <param name="Implementation">Name of the implementation, such as "AVX2" or "tensor cores".</param>
    /// <param name="Deviation">Largest difference from the reference over its largest entry.</param>
    /// <param name="Bound">Most that it may be.</param>
    public readonly record struct Result(string Name, string Implementation, double Deviation, double Bound)
    {
        /// <summary>Whether the deviation is within its bound; NaN is not.</summary>
        public bool Passed => Deviation <= Bound;
    }

    /// <summary>Runs them all.</summary>
    public IReadOnlyList<Result> Run()
    {
        _results.Clear();
        (device as GpuDevice)?.TakeImplementation();
        try
        {
            Products();
            Attend("attention", causal: false);
            Attend("attention, causal", causal: true);
            NormalizeImages();
            Losses();
            CliperLosses();
            TokenRows();
            Patches();
            Pixels();
            Elements();
        }
        finally
        {
            foreach (DeviceArray array in _arrays)
                device.Free(array);
            _arrays.Clear();
        }
        return [.. _results];
    }

    private void Products()
    {
        double[] x = Random(Rows * Depth, 1), w = Random(Columns * Depth, 2), dy = Random(Rows * Columns, 3);
        DeviceArray left = Numbers(x), right = Numbers(w), gradient = Numbers(dy), y = Empty(Rows * Columns),
            dw = Owned(device.Allocate(Columns * Depth));
        Matrix inputs = new(left, Rows, Depth), weights = new(right, Columns, Depth),
            outputs = new(gradient, Rows, Columns);
        Gemm.Run(inputs, weights.Transposed, new Matrix(y, Rows, Columns));
        Compare("matrix product", y, (r, c) => Sum(Depth, d => x[r * Depth + d] * w[c * Depth + d]), Columns);
        if (Gemm.RowsForWgmma(device, Columns) is > 0 and int many)
        {
            double[] large = Random(many * Depth, 15);
            DeviceArray result = Empty(many * Columns);
            Gemm.Run(new Matrix(Numbers(large), many, Depth), weights.Transposed, new Matrix(result, many, Columns));
            Compare("matrix product, large", result, (r, c) => Sum(Depth, d => large[r * Depth + d] * w[c * Depth + d]),
                Columns);
        }
        Gemm.Run(outputs.Transposed, inputs, new Matrix(dw, Columns, Depth));
        Compare("matrix product, weight gradient", dw, (r, c) => Sum(Rows, d => dy[d * Columns + r] * x[d * Depth + c]),
            Depth);
    }

    private void Attend(string name, bool causal)
    {
        const int Stride = 3 * Depth;
        double[] qkv = Random(Tokens * Stride, 4), dout = Random(Tokens * Depth, 5);
        double[] y = new double[Tokens * Depth], dqkv = new double[Tokens * Stride];
        double scale = 1 / Math.Sqrt(HeadSize);
        for (int head = 0; head < Heads; head++)
            for (int row = 0; row < Tokens; row++)
            {
                // Element of query, key or value (0, 1, 2) of a row; of the output.
                int At(int kind, int t, int c) => t * Stride + kind * Depth + head * HeadSize + c;
                int Out(int c) => row * Depth + head * HeadSize + c;
                int keys = causal ? row + 1 : Tokens;
                double[] p = [.. Enumerable.Range(0, keys).Select(key =>
                    Math.Exp(scale * Sum(HeadSize, c => qkv[At(0, row, c)] * qkv[At(1, key, c)])))];
                double total = p.Sum();
                p = [.. p.Select(value => value / total)];
                double[] dp =
                    [.. Enumerable.Range(0, keys).Select(key => Sum(HeadSize, c => dout[Out(c)] * qkv[At(2, key, c)]))];
                double mean = Sum(keys, key => p[key] * dp[key]);
                for (int c = 0; c < HeadSize; c++)
                    for (int key = 0; key < keys; key++)
                    {
                        double ds = scale * p[key] * (dp[key] - mean);
                        y[Out(c)] += p[key] * qkv[At(2, key, c)];
                        dqkv[At(0, row, c)] += ds * qkv[At(1, key, c)];
                        dqkv[At(1, key, c)] += ds * qkv[At(0, row, c)];
                        dqkv[At(2, key, c)] += p[key] * dout[Out(c)];
                    }
            }

        var sizes = new Attention.Sizes(1, Heads, HeadSize, Tokens, Tokens, causal);
        DeviceArray input = Numbers(qkv), output = Empty(y.Length), gradient = Numbers(dout), inputGradient =
            Empty(dqkv.Length),
            statistics = Owned(device.Allocate(sizes.Statistics));
        Attention.Operand q = new(input, 0, Stride), k = new(input, Depth, Stride), v = new(input, 2 * Depth, Stride),
            o = new(output, 0, Depth);
        Attention.Forward(sizes, new(q, k, v), o, statistics);
        Compare(name, output, (_, at) => y[at], y.Length);
        Attention.Backward(sizes, new(q, k, v), statistics, new(gradient, 0, Depth),
            new(new(inputGradient, 0, Stride), new(inputGradient, Depth, Stride),
                new(inputGradient, 2 * Depth, Stride)), o);
        Compare($"{name}, gradient", inputGradient, (_, at) => dqkv[at], dqkv.Length);
    }

    private void NormalizeImages()
    {
        double[] x = Random(Rows * Depth, 6), gamma = Random(Depth, 7), beta = Random(Depth, 8);
        DeviceArray input = Numbers(x), output = Empty(x.Length), features = Floats(x), unit = Floats(x),
            mean = Floats(new double[Rows]),
            rstd = Floats(new double[Rows]);
        LayerNorm.Forward(input, new(Floats(gamma), Floats(beta)), output, new(mean, rstd), new(Rows, Depth));
        Compare("layer norm", output, (r, c) =>
        {
            double average = Sum(Depth, i => x[r * Depth + i]) / Depth;
            double variance = Sum(Depth, i => Math.Pow(x[r * Depth + i] - average, 2)) / Depth;
            return (x[r * Depth + c] - average) / Math.Sqrt(variance + LayerNorm.DefaultEpsilon) * gamma[c] + beta[c];
        }, Depth);
        L2Normalize.Forward(features, unit, rstd, Rows, Depth);
        Compare("L2 normalize", unit, (r, c) =>
            x[r * Depth + c] / Math.Sqrt(Sum(Depth, i => x[r * Depth + i] * x[r * Depth + i])), Depth);
    }

    private void Losses()
    {
        double[] x = Random(Rows * Classes, 9);
        int[] labels = [.. Enumerable.Range(0, Rows).Select(row => row % Classes)];
        DeviceArray loss = Floats([0]), targets = Owned(device.From(labels));
        SoftmaxCrossEntropy.Forward(Floats(x), targets, loss, Floats(new double[Rows]), Rows, Classes);
        double expected = Sum(Rows, r => Math.Log(Sum(Classes, c => Math.Exp(x[r * Classes + c])))
            - x[r * Classes + labels[r]]) / Rows;
        Compare("softmax cross-entropy", loss, (_, _) => expected, 1);
    }

    private void CliperLosses()
    {
        const int Subclasses = 3, Width = Classes * Subclasses;
        double[] s = Random(Rows * Width, 15), gradient = new double[Rows * Width];
        int[] labels = [.. Enumerable.Range(0, Rows).Select(row => row * row % Classes)], nearest = new int[Rows],
            counts = new int[Width];
        for (int b = 0; b < Rows; b++)
            counts[nearest[b] = Places(labels[b]).MaxBy(at => s[b * Width + at])]++;
        double fine = 0, margin = 0;
        for (int b = 0; b < Rows; b++)
        {
            int row = b, label = labels[b];
            double[] n = [.. Places(label).Select(at => counts[at] == 0 ? -1.0 / 99 : counts[at])];
            double own = counts[nearest[b]], alpha = n.Sum() * Math.Exp(1 / own) / n.Sum(value => Math.Exp(1 / value))
                / own;
            fine += alpha * CrossEntropy(nearest[b],
                [nearest[b], .. Enumerable.Range(0, Classes).Where(k => k != label).SelectMany(Places)], alpha);
            int[] hardest = [.. Enumerable.Range(0, Classes).Select(k =>
                k == label ? Places(k).MinBy(at => s[row * Width + at]) : Places(k).MaxBy(at => s[row * Width + at]))];
            margin += CrossEntropy(hardest[label], hardest, 1);

            // The check of one logit of the row against several leaves the gradient.
            double CrossEntropy(int right, int[] places, double weight)
            {
                double total = places.Sum(at => Math.Exp(s[row * Width + at]));
                foreach (int at in places)
                    gradient[row * Width + at] += weight * (Math.Exp(s[row * Width + at]) / total - (at == right ? 1
                        : 0)) / Rows;
                return Math.Log(total) - s[row * Width + right];
            }
        }
        DeviceArray logits = Floats(s), targets = Owned(device.From(labels)), losses = Floats(new double[2]),
            factors = Floats(new double[Rows]),
            chosen = Owned(device.Allocate(Rows, ElementType.Int32)),
            numbers = Owned(device.Allocate(Width, ElementType.Int32)),
            dlogits = Floats(new double[Rows * Width]);
        CliperLoss.Forward(logits, targets, losses, new(factors, chosen, numbers), new(Rows, Classes, Subclasses),
            EmptySubclasses.MinusOneNinetyNinth);
        Compare("CLIPER losses", losses, (_, which) => (which == 0 ? fine : margin) / Rows, 2);
        CliperLoss.Backward(logits, targets, new(factors, chosen, default), Floats([1, 1]), dlogits,
            new(Rows, Classes, Subclasses));
        Compare("CLIPER losses, gradient", dlogits, (_, at) => gradient[at], gradient.Length);

        static IEnumerable<int> Places(int k) => Enumerable.Range(k * Subclasses, Subclasses);
    }

    private void TokenRows()
    {
        const int Sequences = 3, Length = 6, Inserted = 2, Start = 3, TableRows = 9;
        double[] table = Random(TableRows * Depth, 16), x = Random(Sequences * Length * Depth, 17),
            insert = Random(Sequences * Inserted * Depth, 18);
        int[] rows = [.. Enumerable.Range(0, Sequences * Length).Select(at => at * 5 % TableRows)];
        DeviceArray ids = Owned(device.From(rows)), tokens = Numbers(x), y = Empty(x.Length), dtable = Floats(table),
            dinsert = Floats(insert);
        Gather.Forward(Floats(table), ids, y, TableRows, Depth);
        Compare("gather", y, (r, c) => table[rows[r] * Depth + c], Depth);
        Gather.Backward(ids, tokens, dtable, TableRows, Depth);
        Compare("gather, gradient", dtable, (r, c) => Sum(rows.Length, i => rows[i] == r ? x[i * Depth + c] : 0),
            Depth);
        InsertEmbeddings.Forward(tokens, Floats(insert), y, new(Sequences, Length, Inserted, Start, Depth));
        Compare("splice", y, (r, c) => r % Length is >= Start and < Start + Inserted
            ? insert[(r / Length * Inserted + r % Length - Start) * Depth + c] : x[r * Depth + c], Depth);
        InsertEmbeddings.Backward(tokens, default, dinsert, new(Sequences, Length, Inserted, Start, Depth));
        Compare("splice, gradient", dinsert, (r, c) => x[(r / Inserted * Length + Start + r % Inserted) * Depth + c],
            Depth);
    }

    private void Patches()
    {
        const int Channels = 3, Patch = 4, Side = 2 * Patch;
        var sizes = new PatchEmbedding.Sizes(2, Channels, Side, Side, Patch, Columns);
        int pixels = sizes.Pixels, rows = sizes.Images * sizes.Patches;
        double[] images = Random(sizes.Images * Channels * Side * Side, 19), weight = Random(Columns * pixels, 20),
            dy = Random(rows * Columns, 21);
        DeviceArray input = Floats(images), weights = Numbers(weight), y = Empty(rows * Columns),
            dweight = Floats(weight);
        PatchEmbedding.Forward(input, weights, y, sizes);
        Compare("patch embedding", y, (r, c) => Sum(pixels, i => Pixel(r, i) * weight[c * pixels + i]), Columns);
        PatchEmbedding.Backward(input, weights, Numbers(dy), default, dweight, sizes);
        Compare("patch embedding, gradient", dweight, (r, c) => Sum(rows, i => dy[i * Columns + r] * Pixel(i, c)),
            pixels);

        double Pixel(int row, int i)
        {
            int channel = i / (Patch * Patch), top = row / 2 % 2 * Patch + i / Patch % Patch, left = row % 2 * Patch
                + i % Patch;
            return images[((row / 4 * Channels + channel) * Side + top) * Side + left];
        }
    }

    // Bytes, read back as parts of 255: a result is off by half a step for each rounding on the way, or by one where it
    // is cut.
    private void Pixels()
    {
        const int Width = 24, Height = 20, Side = 16, Patch = 8, Count = 3 * Side * Side;
        var random = new Random(25);
        byte[] large = new byte[3 * Width * Height], small = new byte[Count];
        random.NextBytes(small);
        // Not so far apart that overshoot is cut to a byte between the two passes.
        for (int i = 0; i < large.Length; i++)
            large[i] = (byte)random.Next(64, 192);
        DeviceArray table = Owned(device.From(Normalize.Table([0, 0, 0], [1, 1, 1]))), patches = Empty(Count);
        ImageView source = new(Owned(device.From(large)), Width, Height, 3), square = new(Owned(device.From(small)),
            Side, Side, 3),
            target = new(Owned(device.From(small)), Side, Side, 3);
        double Small(int row, int column, int channel) => small[(row * Side + column) * 3 + channel] / 255.0;
        void Read(string name, ImageView picture, Func<int, int, int, double> expected, double steps)
        {
            var bytes = new byte[Count];
            device.Download(picture.Pixels, bytes);
            Compare(name, [.. bytes.Select(value => value / 255f)], (at, channel) => expected(at / Side, at % Side,
                channel), 3,
                steps / 255);
        }

        Resize.Forward<Bicubic>([new(source, new(0, 0, Width, Height), Side, Side, new(0, 0, Side, Side),
            false, target)]);
        // The first rounding counts by the weights' absolute values, which sum up to 1.3; the largest result is about
        // 2/3.
        Read("resize", target, (row, column, channel) => Sum(Height, i => Share(i, row, Height) * Sum(Width, j =>
            Share(j, column, Width) * large[(i * Width + j) * 3 + channel] / 255.0)), 1.2 * 3 / 2);

        AffineMap map = AffineMap.About(Side, Side, 0.2, 1.1, 1.5, -0.5, flip: true);
        AffineWarp.Forward([(square, map, target)]);
        Read("warp", target, (row, column, channel) =>
        {
            double x = Math.Clamp(map.A * column + map.B * row + map.C, 0, Side - 1),
                z = Math.Clamp(map.D * column + map.E * row + map.F, 0, Side - 1);
            int left = Math.Min((int)x, Side - 2), top = Math.Min((int)z, Side - 2);
            return (1 - z + top) * ((1 - x + left) * Small(top, left, channel) + (x - left) * Small(top,
                left + 1, channel))
                + (z - top) * ((1 - x + left) * Small(top + 1, left, channel) + (x - left) * Small(top + 1,
                left + 1, channel));
        }, 1.6);

        Normalize.Forward([(square, new(3, 2, 7, 5))], table, patches, Patch);
        Compare("normalize, erase", patches, (plane, at) =>
        {
            // Planes of three channels for each of 2 x 2 patches.
            int row = plane / 6 * Patch + at / Patch, column = plane / 3 % 2 * Patch + at % Patch;
            return column is >= 3 and < 10 && row is >= 2 and < 7 ? 0 : Small(row, column, plane % 3);
        }, Patch * Patch);

        const float Bright = 0.75f, Faded = 0.5f;
        ColorJitter.Forward([(square, new(ColorJitter.Change.Brightness, ColorJitter.Change.Saturation,
            ColorJitter.Change.Contrast,
            ColorJitter.Change.Hue, Bright, 1, Faded, 0))]);
        Read("color jitter", square, (row, column, channel) =>
        {
            double luma = 0.299 * Small(row, column, 0) + 0.587 * Small(row, column, 1) + 0.114 * Small(row, column, 2);
            return Bright * (luma + Faded * (Small(row, column, channel) - luma));
        }, 3);

        static double Share(int from, int to, int size)
        {
            double scale = (double)size / Side;
            return Weight(from) / Sum(size, Weight);
            double Weight(int at) => Bicubic.Weight((at + 0.5 - (to + 0.5) * scale) / scale);
        }
    }

    private void Elements()
    {
        double[] x = Random(Rows * Depth, 10), p = Random(Depth, 11), g = Random(Depth, 12), m = Random(Depth, 13),
            v = [.. Random(Depth, 14).Select(Math.Abs)];
        DeviceArray input = Numbers(x), output = Empty(x.Length), parameter = Floats(p);
        Elementwise.Forward<QuickGelu>(input, output);
        Compare("QuickGELU", output, (_, at) => x[at] / (1 + Math.Exp(-1.702 * x[at])), x.Length);

        const double First = 0.9, Second = 0.99, Epsilon = 1e-2, Rate = 0.125, Decay = 0.5;
        const int Step = 3;
        AdamWUpdate.Step([new(parameter, Floats(g), Floats(m), Floats(v), Step, (float)Rate, (float)Decay)],
            new(First, Second, Epsilon));
        Compare("AdamW", parameter, (_, at) =>
        {
            double first = First * m[at] + (1 - First) * g[at], second = Second * v[at] + (1 - Second) * g[at] * g[at];
            double step = first / (1 - Math.Pow(First, Step))
                / (Math.Sqrt(second / (1 - Math.Pow(Second, Step))) + Epsilon);
            return p[at] - Rate * (step + Decay * p[at]);
        }, p.Length);
    }

    // Compares the last result, element by element beside what a row and a column of it should be.
    private void Compare(string name, DeviceArray actual, Func<int, int, double> expected, int columns) =>
        Compare(name, device.ToFloats(actual), expected, columns, Roundings * Roundoff(actual.Type));

    private void Compare(string name, float[] values, Func<int, int, double> expected, int columns, double bound)
    {
        string implementation = device switch
        {
            GpuDevice gpu => gpu.TakeImplementation(),
            CpuDevice host => host.Level.Describe(),
            _ => device.Name,
        };
        double worst = 0, largest = 0;
        for (int at = 0; at < values.Length; at++)
        {
            double right = expected(at / columns, at % columns);
            worst = Math.Max(worst, Math.Abs(values[at] - right));
            largest = Math.Max(largest, Math.Abs(right));
        }
        _results.Add(new Result(name, implementation, worst / largest, OfSums + bound));
    }

    // Multiples of 1/128 below 1, exact in every format, so that every device computes the same function.
    private static double[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(-127, 128) / 128.0)];
    }

    // A result stored in fp32 is off by the sums' bound alone.
    private static double Roundoff(ElementType type) => type switch
    {
        ElementType.Float16 => 1.0 / (1 << 11),
        ElementType.BFloat16 => 1.0 / (1 << 8),
        _ => 0,
    };

    private static double Sum(int count, Func<int, double> term)
    {
        double sum = 0;
        for (int index = 0; index < count; index++)
            sum += term(index);
        return sum;
    }

    private DeviceArray Numbers(double[] values) =>
        Owned(device.From((float[])[.. values.Select(value => (float)value)], device.Activations));

    private DeviceArray Floats(double[] values) =>
        Owned(device.From((float[])[.. values.Select(value => (float)value)]));

    private DeviceArray Empty(int count) => Owned(device.Allocate(count, device.Activations));

    private DeviceArray Owned(DeviceArray array)
    {
        _arrays.Add(array);
        return array;
    }
}
