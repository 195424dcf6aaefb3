using System.Numerics.Tensors;

namespace Cliper.Model.Export;

/// <summary>Products, convolutions and pools, for <see cref="OnnxEvaluator"/>.</summary>
internal static class OnnxLinear
{
    /// <summary>[.., M, K] times [.., K, N]; the second may be one matrix for all.</summary>
    public static OnnxTensor MatMul(OnnxTensor a, OnnxTensor b)
    {
        int k = a.Width, n = b.Width;
        if (b.Shape[^2] != k || (b.Rank > 2 && !b.Shape.SkipLast(2).SequenceEqual(a.Shape.SkipLast(2))))
            throw new InvalidDataException($"[{string.Join(", ", a.Shape)}] and [{string.Join(", ", b.Shape)}] have no "
                + "product");
        // One matrix takes the rows of all samples together.
        int matrices = b.Count / (k * n), rows = a.Count / (k * matrices);
        var y = new float[matrices * rows * n];
        for (int matrix = 0; matrix < matrices; matrix++)
        {
            float[] columns = OnnxLayers.Transpose(b.Floats.AsSpan(matrix * k * n, k * n), k, n);
            int start = matrix * rows;
            Parallel.For(0, rows, row =>
            {
                ReadOnlySpan<float> left = a.Floats.AsSpan((start + row) * k, k);
                for (int column = 0; column < n; column++)
                    y[(start + row) * n + column] = TensorPrimitives.Dot(left, columns.AsSpan(column * k, k));
            });
        }
        return OnnxTensor.Of(y, [.. a.Shape[..^1], n]);
    }

    /// <summary>A convolution of two dimensions, in groups.</summary>
    public static OnnxTensor Convolution(OnnxTensor x, OnnxTensor weight, OnnxTensor? bias, OnnxNode node)
    {
        int[] strides = OnnxEvaluator.Attribute<int[]>(node, "strides"), none = [0, 0, 0, 0],
            pads = Optional(node, "pads") as int[] ?? none;
        int groups = Optional(node, "group") as int? ?? 1;
        (int samples, int height, int width) = (x.Shape[0], x.Shape[2], x.Shape[3]);
        (int features, int channels, int kernel) = (weight.Shape[0], weight.Shape[1], weight.Shape[2]);
        if (channels * groups != x.Shape[1])
            throw new InvalidDataException($"{x.Shape[1]} channels for weights of {channels} in {groups} groups");
        int rows = (height + pads[0] + pads[2] - kernel) / strides[0] + 1,
            columns = (width + pads[1] + pads[3] - kernel) / strides[1] + 1, each = features / groups;
        var y = new float[samples * features * rows * columns];
        Parallel.For(0, samples * rows, line =>
        {
            (int sample, int row) = (line / rows, line % rows);
            var window = new float[channels * kernel * kernel];
            for (int column = 0; column < columns; column++)
                for (int group = 0; group < groups; group++)
                {
                    Fill(window, sample, group, row * strides[0] - pads[0], column * strides[1] - pads[1]);
                    for (int feature = group * each; feature < (group + 1) * each; feature++)
                        y[((sample * features + feature) * rows + row) * columns + column] = TensorPrimitives.Dot(
                            window, weight.Floats.AsSpan(feature * window.Length, window.Length))
                            + (bias?.Floats[feature] ?? 0);
                }
        });
        return OnnxTensor.Of(y, samples, features, rows, columns);

        // The pixels under the kernel; those beyond the edge are 0.
        void Fill(float[] window, int sample, int group, int top, int left)
        {
            int at = 0;
            for (int channel = 0; channel < channels; channel++)
                for (int i = top; i < top + kernel; i++)
                    for (int j = left; j < left + kernel; j++)
                        window[at++] = i < 0 || j < 0 || i >= height || j >= width ? 0
                            : x.Floats[((sample * x.Shape[1] + group * channels + channel) * height + i) * width + j];
        }
    }

    /// <summary>The mean or the largest of squares that do not overlap.</summary>
    public static OnnxTensor Pool(OnnxTensor x, int size, bool isMax)
    {
        (int height, int width) = (x.Shape[2] / size, x.Shape[3] / size);
        var y = new float[x.Shape[0] * x.Shape[1] * height * width];
        var square = new float[size * size];
        for (int i = 0; i < y.Length; i++)
        {
            (int plane, int row, int column) = (i / (height * width), i / width % height, i % width);
            for (int j = 0; j < square.Length; j++)
                square[j] = x.Floats[(plane * x.Shape[2] + row * size + j / size) * x.Shape[3] + column * size
                    + j % size];
            y[i] = isMax ? TensorPrimitives.Max<float>(square) : TensorPrimitives.Sum<float>(square) / square.Length;
        }
        return OnnxTensor.Of(y, x.Shape[0], x.Shape[1], height, width);
    }

    private static object? Optional(OnnxNode node, string name) =>
        node.Attributes.Where(attribute => attribute.Name == name).Select(attribute => attribute.Value)
            .SingleOrDefault();
}
