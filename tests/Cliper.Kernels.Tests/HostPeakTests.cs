using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Tests;

public sealed class HostPeakTests(SimdLevel level) : HostDevices(level)
{
    // No processor that .NET 10 runs on makes less than one operation in ten cycles of a gigahertz, none 10 TFLOP/s a
    // core.
    [Test]
    public void ThePeakIsPlausible() =>
        Assert.That(CpuRoofline.MeasureGflops(Device) / Device.Threads, Is.InRange(0.1, 10_000));

    [Test]
    public void TheBandwidthIsPlausible() => Assert.That(CpuRoofline.MeasureBandwidth(Device), Is.InRange(0.1, 10_000));
}
