namespace Cliper.Model.Export;

/// <summary>A value of a graph that is evaluated: fp32 numbers, or integers (int64, and bytes).</summary>
/// <param name="Shape">Sizes of the axes; empty for a scalar.</param>
/// <param name="Floats">The elements, row-major; empty for integers.</param>
/// <param name="Integers">The elements, row-major; empty for fp32.</param>
internal sealed record OnnxTensor(int[] Shape, float[] Floats, long[] Integers)
{
    /// <summary>Number of elements.</summary>
    public int Count => CountOf(Shape);

    /// <summary>Number of axes.</summary>
    public int Rank => Shape.Length;

    /// <summary>Size of the last axis.</summary>
    public int Width => Shape[^1];

    /// <summary>Whether the elements are integers.</summary>
    public bool IsInteger => Integers.Length > 0;

    /// <summary>fp32 numbers.</summary>
    public static OnnxTensor Of(float[] values, params int[] shape) => Checked(values.Length, new(shape, values, []));

    /// <summary>Integers.</summary>
    public static OnnxTensor Of(long[] values, params int[] shape) => Checked(values.Length, new(shape, [], values));

    /// <summary>An axis counted from 0, given as ONNX counts it: negative ones from the end.</summary>
    public int Axis(long axis) => (int)(axis < 0 ? axis + Rank : axis);

    /// <summary>The elements in other places.</summary>
    /// <param name="shape">Sizes of the result.</param>
    /// <param name="source">Gives the index of an element by that of the result.</param>
    public OnnxTensor Taken(int[] shape, Func<int, int> source)
    {
        int count = CountOf(shape);
        return IsInteger ? Of(Enumerable.Range(0, count).Select(index => Integers[source(index)]).ToArray(), shape)
            : Of(Gathered(count, source), shape);
    }

    /// <summary>The same elements under other sizes.</summary>
    public OnnxTensor Reshaped(int[] shape) => Checked(Count, this with { Shape = shape });

    /// <summary>Product of sizes.</summary>
    public static int CountOf(IEnumerable<int> shape) => shape.Aggregate(1, (count, size) => checked(count * size));

    /// <summary>Distance of neighbors along each axis.</summary>
    public static int[] Strides(IReadOnlyList<int> shape)
    {
        var strides = new int[shape.Count];
        for (int axis = shape.Count - 1, stride = 1; axis >= 0; stride *= shape[axis--])
            strides[axis] = stride;
        return strides;
    }

    private float[] Gathered(int count, Func<int, int> source)
    {
        var values = new float[count];
        for (int index = 0; index < count; index++)
            values[index] = Floats[source(index)];
        return values;
    }

    private static OnnxTensor Checked(int count, OnnxTensor tensor) => tensor.Count == count ? tensor
        : throw new InvalidDataException($"{count} elements for [{string.Join(", ", tensor.Shape)}]");
}
