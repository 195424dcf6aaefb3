using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <content>Products, attention and patches.</content>
public sealed partial class OperationTest
{
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
        Compare(name, output, (_, at) => y[at], y.Length, Operands);
        Attention.Backward(sizes, new(q, k, v), statistics, new(gradient, 0, Depth),
            new(new(inputGradient, 0, Stride), new(inputGradient, Depth, Stride),
                new(inputGradient, 2 * Depth, Stride)), o);
        Compare($"{name}, gradient", inputGradient, (_, at) => dqkv[at], dqkv.Length, Operands);
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
}
