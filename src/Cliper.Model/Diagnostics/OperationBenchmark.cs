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
    double? GigabytesPerSecond, double Ratio);

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

    private readonly BenchmarkArrays _arrays = new(device);

    private int Width => sizes.Width;

    private int Hidden => sizes.Hidden;

    private ElementType Stored => device.Activations;

    /// <summary>A row each operation, as they are measured.</summary>
    /// <param name="only">Part of the name of those to be measured; empty for all.</param>
    /// <param name="known">Names and shapes that are not measured again.</param>
    public IEnumerable<BenchmarkRow> Run(string only = "", IReadOnlySet<(string Name, string Shape)>? known = null) =>
        from measure in MatMuls().Concat(Attentions()).Concat(Rows()).Concat(Elements()).Concat(Pictures())
            .Concat(Tokens()).Concat(Losses()).Concat(Convolutions())
        where measure.Name.Contains(only, StringComparison.OrdinalIgnoreCase)
            && known?.Contains((measure.Name, measure.Shape)) is not true
        select measure.Run();

    /// <inheritdoc/>
    public void Dispose() => _arrays.Dispose();

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

    private BenchmarkArray Floats(int rows, int columns = 1) => _arrays.Floats(rows, columns);

    private BenchmarkArray Numbers(int rows, int columns) => _arrays.Numbers(rows, columns);

    private BenchmarkArray Integers(IEnumerable<int> values) => _arrays.Integers(values);

    private BenchmarkArray Ones(int count) => _arrays.Ones(count);

    private BenchmarkArray Own(long bytes, Func<DeviceArray> make) => _arrays.Own(bytes, make);
}
