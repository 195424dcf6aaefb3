using Cliper.Kernels.Memory;
using Cliper.Model.Diagnostics;

namespace Cliper.Gpu.Tests;

/// <summary>The self-test of doctor, with and without tensor cores and wgmma.</summary>
[TestFixture(true, true, ElementType.Float16)]
[TestFixture(true, false, ElementType.Float16)]
[TestFixture(false, false, ElementType.Float16)]
[TestFixture(true, false, ElementType.BFloat16)]
public sealed class OperationTestTests(bool tensorCores, bool wgmma, ElementType stored) : GpuFixture(stored)
{
    protected override bool UsesTensorCores => tensorCores;

    protected override bool UsesWgmma => wgmma;

    [Test]
    public void EveryOperationPassesAndNamesWhatComputedIt()
    {
        IReadOnlyList<OperationTest.Result> results = new OperationTest(Device).Run();
        foreach (OperationTest.Result result in results)
        {
            bool product = new[] { "matrix", "patch" }.Any(name => result.Name.StartsWith(name,
                StringComparison.Ordinal)),
                suits = product || result.Name.StartsWith("attention", StringComparison.Ordinal);
            string expected = !tensorCores || !suits ? "portable"
                : product && wgmma || result.Name == "matrix product, large" ? "tensor cores, wgmma"
                : "tensor cores";
            Assert.That(result.Implementation, Is.EqualTo(expected), result.Name);
            Assert.That(result.Passed, $"{result.Name} is off by {result.Deviation}, bound {result.Bound}");
        }
        Assert.That(results.Select(result => result.Name).Contains("matrix product, large"),
            Is.EqualTo(Device.HasWgmma));
    }

    [TestCase(1e-3, true)]
    [TestCase(1.1e-3, false)]
    [TestCase(double.NaN, false)]
    public void WhatIsBeyondItsBoundFails(double deviation, bool passes) =>
        Assert.That(new OperationTest.Result("attention", "portable", deviation, 1e-3).Passed, Is.EqualTo(passes));
}
