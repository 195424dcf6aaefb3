using Cliper.Kernels.Devices;
using Cliper.Model.Analysis;

namespace Cliper.Gpu.Tests;

/// <summary>The self-test of doctor, with and without tensor cores.</summary>
[TestFixture(true, ElementType.Float16)]
[TestFixture(false, ElementType.Float16)]
[TestFixture(true, ElementType.BFloat16)]
public sealed class OperationTestTests(bool tensorCores, ElementType stored) : GpuFixture(stored)
{
    protected override bool UsesTensorCores => tensorCores;

    [Test]
    public void EveryOperationPassesAndNamesWhatComputedIt()
    {
        foreach (OperationTest.Result result in new OperationTest(Device).Run())
        {
            bool suits = new[] { "matrix", "attention", "patch" }.Any(name => result.Name.StartsWith(name, StringComparison.Ordinal));
            Assert.That(result.Implementation, Is.EqualTo(tensorCores && suits ? "tensor cores" : "portable"), result.Name);
            Assert.That(result.Passed, $"{result.Name} is off by {result.Deviation}, bound {result.Bound}");
        }
    }

    [TestCase(1e-3, true)]
    [TestCase(1.1e-3, false)]
    [TestCase(double.NaN, false)]
    public void WhatIsBeyondItsBoundFails(double deviation, bool passes) =>
        Assert.That(new OperationTest.Result("attention", "portable", deviation, 1e-3).Passed, Is.EqualTo(passes));
}
