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
public sealed partial class OperationTest(Device device)
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

    // Compares the last result, element by element beside what a row and a column of it should be.
    private void Compare(string name, DeviceArray actual, Func<int, int, double> expected, int columns,
        ElementType? rounded = null) =>
        Compare(name, device.ToFloats(actual), expected, columns, Roundings * Roundoff(rounded ?? actual.Type));

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

    // The type that attention's probabilities and their gradients are rounded to.
    private ElementType Operands => device is CpuDevice host ? host.Operands : device.Activations;

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
