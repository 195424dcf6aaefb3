using System.Numerics.Tensors;

namespace Cliper.Model.Export;

/// <summary>
/// Evaluates a graph by the definitions of ONNX's operators, those that <see cref="OnnxGraph"/> writes alone. It shares
/// no arithmetic with the operations of Cliper.Kernels, so that it can tell whether a file says what the program
/// computes. It is simple, and some ten times slower than a runtime.
/// </summary>
/// <param name="file">The graph.</param>
internal sealed class OnnxEvaluator(OnnxFile file)
{
    private readonly Dictionary<string, OnnxTensor> _values = new(file.Constants);

    /// <summary>The outputs for an input.</summary>
    /// <param name="input">The input.</param>
    /// <param name="progress">Told after each node the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">The graph has an operator that is not known here, or sizes that do not
    /// fit.</exception>
    public IReadOnlyDictionary<string, OnnxTensor> Run(OnnxTensor input, Action<double>? progress,
        CancellationToken cancellation)
    {
        _values[file.Input.Name] = input;
        for (int i = 0; i < file.Nodes.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            OnnxNode node = file.Nodes[i];
            try
            {
                OnnxTensor[] results = Evaluate(node, [.. node.Inputs.Select(name => _values[name])]);
                foreach ((string name, OnnxTensor result) in node.Outputs.Zip(results))
                    _values[name] = result;
            }
            catch (Exception fault) when (fault is InvalidDataException or KeyNotFoundException or ArgumentException
                or IndexOutOfRangeException)
            {
                throw new InputException($"{file.Path}: node {i}, {node.Operation}: {fault.Message}", fault);
            }
            progress?.Invoke((i + 1.0) / file.Nodes.Count);
        }
        return file.Outputs.ToDictionary(name => name, name => _values[name]);
    }

    private static OnnxTensor[] Evaluate(OnnxNode node, OnnxTensor[] inputs)
    {
        OnnxTensor x = inputs[0];
        return node.Operation switch
        {
            "Add" => [Elementwise(x, inputs[1], (a, b) => a + b)],
            "Sub" => [Elementwise(x, inputs[1], (a, b) => a - b)],
            "Mul" => [Elementwise(x, inputs[1], (a, b) => a * b)],
            "Div" => [Elementwise(x, inputs[1], (a, b) => a / b)],
            "Max" => [Elementwise(x, inputs[1], MathF.Max)],
            "Relu" => [Each(x, value => MathF.Max(0, value))],
            "Sqrt" => [Each(x, MathF.Sqrt)],
            "Sigmoid" => [Each(x, value => 1 / (1 + MathF.Exp(-value)))],
            "Erf" => [Each(x, Erf)],
            "Cast" => [x.IsInteger ? OnnxTensor.Of([.. x.Integers.Select(value => (float)value)], x.Shape) : x],
            "MatMul" => [OnnxLinear.MatMul(x, inputs[1])],
            "Conv" => [OnnxLinear.Convolution(x, inputs[1], inputs.ElementAtOrDefault(2), node)],
            "AveragePool" => [OnnxLinear.Pool(x, Attribute<int[]>(node, "kernel_shape")[0], isMax: false)],
            "MaxPool" => [OnnxLinear.Pool(x, Attribute<int[]>(node, "kernel_shape")[0], isMax: true)],
            "Softmax" => [Softmax(x)],
            "LayerNormalization" => [Norm(x, inputs[1], inputs[2], Attribute<float>(node, "epsilon"))],
            "ReduceMean" => [Reduced(x, AxisOf(node, inputs), node, values => (float)(Total(values) / values.Length))],
            "ReduceSum" => [Reduced(x, AxisOf(node, inputs), node, values => (float)Total(values))],
            "ArgMax" => [ArgMax(x, node)],
            _ => OnnxPlaces.Evaluate(node, inputs),
        };
    }

    /// <summary>An attribute of a node.</summary>
    internal static T Attribute<T>(OnnxNode node, string name) =>
        node.Attributes.Where(attribute => attribute.Name == name).Select(attribute => attribute.Value).OfType<T>()
            .SingleOrDefault() ?? throw new InvalidDataException($"the attribute {name} is missing");

    private static long AxisOf(OnnxNode node, OnnxTensor[] inputs) =>
        inputs.Length > 1 ? inputs[1].Integers.Single() : Attribute<int[]>(node, "axes").Single();

    private static OnnxTensor Each(OnnxTensor x, Func<float, float> function)
    {
        var y = new float[x.Count];
        Parallel.For(0, (y.Length + Chunk - 1) / Chunk, part =>
        {
            for (int i = part * Chunk; i < Math.Min(y.Length, (part + 1) * Chunk); i++)
                y[i] = function(x.Floats[i]);
        });
        return OnnxTensor.Of(y, x.Shape);
    }

    private const int Chunk = 1 << 14;

    private static OnnxTensor Elementwise(OnnxTensor a, OnnxTensor b, Func<float, float, float> function)
    {
        int[] shape = OnnxPlaces.Broadcast(a.Shape, b.Shape);
        Func<int, int> left = OnnxPlaces.Source(a.Shape, shape), right = OnnxPlaces.Source(b.Shape, shape);
        var y = new float[OnnxTensor.CountOf(shape)];
        Parallel.For(0, (y.Length + Chunk - 1) / Chunk, part =>
        {
            for (int i = part * Chunk; i < Math.Min(y.Length, (part + 1) * Chunk); i++)
                y[i] = function(a.Floats[left(i)], b.Floats[right(i)]);
        });
        return OnnxTensor.Of(y, shape);
    }

    private static OnnxTensor Softmax(OnnxTensor x)
    {
        var y = new float[x.Count];
        for (int start = 0; start < y.Length; start += x.Width)
        {
            ReadOnlySpan<float> row = x.Floats.AsSpan(start, x.Width);
            float largest = TensorPrimitives.Max(row);
            double total = 0;
            foreach (float value in row)
                total += Math.Exp(value - largest);
            for (int i = 0; i < row.Length; i++)
                y[start + i] = (float)(Math.Exp(row[i] - largest) / total);
        }
        return OnnxTensor.Of(y, x.Shape);
    }

    private static OnnxTensor Norm(OnnxTensor x, OnnxTensor scale, OnnxTensor shift, float epsilon)
    {
        var y = new float[x.Count];
        for (int start = 0; start < y.Length; start += x.Width)
        {
            ReadOnlySpan<float> row = x.Floats.AsSpan(start, x.Width);
            double mean = Total(row) / row.Length, variance = 0;
            foreach (float value in row)
                variance += (value - mean) * (value - mean);
            double factor = 1 / Math.Sqrt(variance / row.Length + epsilon);
            for (int i = 0; i < row.Length; i++)
                y[start + i] = (float)((row[i] - mean) * factor * scale.Floats[i] + shift.Floats[i]);
        }
        return OnnxTensor.Of(y, x.Shape);
    }

    private delegate float RowFunction(ReadOnlySpan<float> values);

    /// <summary>A number of each row along an axis.</summary>
    private static OnnxTensor Reduced(OnnxTensor x, long axis, OnnxNode node, RowFunction function)
    {
        int at = x.Axis(axis), size = x.Shape[at], inner = OnnxTensor.CountOf(x.Shape[(at + 1)..]);
        int[] shape = Attribute<int>(node, "keepdims") == 1 ? [.. x.Shape[..at], 1, .. x.Shape[(at + 1)..]]
            : [.. x.Shape[..at], .. x.Shape[(at + 1)..]];
        var y = new float[x.Count / size];
        var row = new float[size];
        for (int i = 0; i < y.Length; i++)
        {
            for (int j = 0; j < size; j++)
                row[j] = x.Floats[(i / inner * size + j) * inner + i % inner];
            y[i] = function(row);
        }
        return OnnxTensor.Of(y, shape);
    }

    /// <summary>Index of the first of the largest along an axis.</summary>
    private static OnnxTensor ArgMax(OnnxTensor x, OnnxNode node)
    {
        OnnxTensor best = Reduced(x, Attribute<int>(node, "axis"), node, values => TensorPrimitives.IndexOfMax(values));
        return OnnxTensor.Of([.. best.Floats.Select(value => (long)value)], best.Shape);
    }

    private static double Total(ReadOnlySpan<float> values)
    {
        double total = 0;
        foreach (float value in values)
            total += value;
        return total;
    }

    /// <summary>2 / sqrt(pi) exp(-x²) times the sum of 2^n x^(2n+1) / (2n+1)!! (Abramowitz and Stegun 7.1.6), whose
    /// terms have one sign.</summary>
    private static float Erf(float x)
    {
        // It is one in fp32 from 4 on.
        const float AllOfIt = 5;
        if (!(MathF.Abs(x) < AllOfIt))
            return float.IsNaN(x) ? x : MathF.Sign(x);
        double term = x, sum = x;
        for (int n = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); n++)
            sum += term *= 2 * (double)x * x / (2 * n + 1);
        return (float)(2 / Math.Sqrt(Math.PI) * Math.Exp(-(double)x * x) * sum);
    }
}
