using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;

namespace Cliper.Gpu.Tests;

/// <summary>The look-up of kernels by their type arguments. No kernel is compiled here.</summary>
public sealed class KernelFamilyTests
{
    private static KernelFamily Family => new(typeof(KernelFamilyTests), nameof(SixKernel), "Six", 32, 1, 32);

    [Test]
    public void LookUp_FromManyThreads_GivesOneObject()
    {
        KernelFamily family = Family;

        GpuKernel[] found = [.. Enumerable.Range(0, 64).AsParallel().WithDegreeOfParallelism(4)
            .Select(_ => family[typeof(int), typeof(int), typeof(int), typeof(int), typeof(int), typeof(float)])];

        Assert.That(found, Has.All.SameAs(found[0]));
        Assert.That(found[0].Name, Is.EqualTo("Six Int32 Int32 Int32 Int32 Int32 Single"));
    }

    [Test]
    public void LookUp_OtherOrderOfTypes_GivesAnotherKernel()
    {
        KernelFamily family = Family;

        GpuKernel first = family[typeof(int), typeof(int), typeof(int), typeof(int), typeof(int), typeof(Fp16)];
        GpuKernel second = family[typeof(int), typeof(int), typeof(int), typeof(int), typeof(Bf16), typeof(int)];

        Assert.That(second, Is.Not.SameAs(first));
        Assert.That((first.Target, second.Target), Is.EqualTo((GpuTarget.Simt, GpuTarget.BFloat16)));
    }

    [Test]
    public void LookUp_WrongNumberOfTypes_Throws()
    {
        Assert.That(() => Family[typeof(int)], Throws.ArgumentException);
        Type[] seven = [.. Enumerable.Repeat(typeof(int), 7)];
        Assert.That(() => Family[seven], Throws.ArgumentException.With.Message.Contains("given 7"));
    }

    private static void SixKernel<T1, T2, T3, T4, T5, T6>(GlobalPtrFp32 x) => x.Store(0, 0);
}
