using Cliper.Kernels.Gpu.Compiler;

namespace Cliper.Gpu.Tests;

/// <summary>Tests of what is made of the text that the driver's compiler writes.</summary>
public sealed class CompilerLogTests
{
    [TestCase("ptxas info    : 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads; ptxas info    : Used "
        + "40 registers", null)]
    [TestCase("ptxas info    : 16 bytes stack frame, 8 bytes spill stores, 24 bytes spill loads",
        "8 bytes spill stores")]
    [TestCase("ptxas info    : 16 bytes stack frame, 0 bytes spill stores, 120 bytes spill loads",
        "120 bytes spill loads")]
    [TestCase("ptxas info    : Used 168 registers; ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async "
        + "instructions are serialized due to a call; ptxas info    : 0 bytes gmem",
        "ptxas info    : (C7510) Potential Performance Loss: wgmma.mma_async instructions are serialized due to a "
        + "call")]
    [TestCase("", null)]
    public void OnlyWhatMakesAKernelSlowIsAComplaint(string log, string? complaint) =>
        Assert.That(CompilerLog.Complaint(log), Is.EqualTo(complaint));

    [TestCase("first\n  second\n\n\0rest", "first; second")]
    [TestCase("cut off, without a zero", "cut off, without a zero")]
    [TestCase("\0", "")]
    public void ALogIsOneLine(string buffer, string line) =>
        Assert.That(CompilerLog.OneLine(System.Text.Encoding.UTF8.GetBytes(buffer)), Is.EqualTo(line));
}
