using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests;

/// <summary>Tests that need the emulated device; <see cref="WholeModelTests"/> runs the model on it.</summary>
public sealed class EmulatedTests : GpuFixture
{
    protected override bool Emulated => true;

    [Test]
    public void ArgumentsOfEveryKindArrive()
    {
        // Whole numbers that fp32 holds exactly; sizes within a tile and beyond it.
        const int Rows = 70, Depth = 3, Columns = 2;
        float[] a = [.. Enumerable.Range(0, Rows * Depth).Select(i => (float)i)], b = [1, 2, 3, 4, 5, 6];
        float[] expected = [.. from row in Enumerable.Range(0, Rows) from column in Enumerable.Range(0, Columns)
            select 0.5f * Enumerable.Range(0, Depth).Sum(d => a[row * Depth + d] * b[d * Columns + column])];
        DeviceArray left = Device.From(a), right = Device.From(b), product = Device.Allocate(Rows * Columns);
        Gemm.Run(new Matrix(left, Rows, Depth), new Matrix(right, Depth, Columns), new Matrix(product, Rows, Columns),
            scale: 0.5f);
        Assert.That(Device.ToFloats(product), Is.EqualTo(expected));
        Free(left, right, product);
    }

    [Test]
    public void AKernelForTensorCoresIsOneError()
    {
        GpuKernel kernel = GpuRoofline.GpuKernels.First(kernel => kernel.Target == GpuTarget.MmaSync);
        DeviceArray result = Device.Allocate(kernel.Threads);
        Assert.That(() => Device.Run(kernel, new Blocks(1), result, 1), Throws.TypeOf<DeviceException>()
            .With.Message.StartsWith($"{kernel.Name} does not run on the emulated GPU"));
        // It goes on.
        DeviceArray one = Device.From(new float[] { 1 });
        Add.Forward(one, one, one);
        Assert.That(Device.ToFloats(one), Is.EqualTo(new float[] { 2 }));
        Free(result, one);
    }
}
