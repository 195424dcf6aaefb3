using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <content>Matrix products and attention, whose limit is arithmetic.</content>
public sealed partial class OperationBenchmark
{
    private IEnumerable<Case> MatMuls()
    {
        foreach (int rows in sizes.MatMulRows)
            foreach ((int inner, int columns) in new[] { (Width, Width), (Width, 3 * Width), (Width, Hidden),
                (Hidden, Width) })
            {
                using var scope = _arrays.BeginScope();
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
            using var scope = _arrays.BeginScope();
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
            using var scope = _arrays.BeginScope();
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
}
