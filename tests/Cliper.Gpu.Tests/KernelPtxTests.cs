using System.Text.RegularExpressions;
using Cliper.Kernels;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests;

/// <summary>
/// The PTX of every kernel: which instructions it may hold, how often the instructions that matter stand in it, and
/// that ptxas assembles it for every architecture without stack or spills.
/// </summary>
[Parallelizable(ParallelScope.Children)]
public sealed class KernelPtxTests
{
    private static readonly string[] Architectures = ["sm_80", "sm_86", "sm_89", "sm_90"];
    private static readonly string[] OfPortable = ["sm_70", "sm_75", .. Architectures];

    // Kernels of bf16 differ from those of fp16 in their format alone: the oldest and the newest target are enough.
    private static readonly string[] OfBf16 = ["sm_80", "sm_90"];

    // The word with which ptxas warns of wgmma whose accumulators are touched before the wait.
    private const string Serialized = "serialized";

    private static IEnumerable<TestCaseData> Kernels =>
        KernelRegistry.All.Select(kernel => new TestCaseData(kernel).SetArgDisplayNames(kernel.Name));

    [Test]
    public void NamesAreUnique() => Assert.That(KernelRegistry.All.Select(kernel => kernel.Name), Is.Unique);

    [TestCaseSource(nameof(Kernels))]
    public void NoLocalOrGenericMemoryAndNoCalls(object tested)
    {
        var kernel = (GpuKernel)tested;
        string[] faults = [.. Lint.Faults(kernel.Ptx, kernel.UsesDoubles)];
        Assert.That(faults, Is.Empty);
        // ILGPU makes singles of doubles where a kernel does not ask for them.
        Assert.That(Lint.HasDoubles(kernel.Ptx), Is.EqualTo(kernel.UsesDoubles), "double precision");
        Assert.That(Lint.Counts(kernel.Ptx), Is.EqualTo(kernel.Instructions), "mma, ldmatrix, cp.async");
        (string version, string target) = kernel.Target switch
        {
            GpuTarget.Simt => ("7.8", "sm_70"),
            GpuTarget.Wgmma => ("8.0", "sm_90a"),
            _ => ("7.8", "sm_80"),
        };
        Assert.That(kernel.Ptx, Does.StartWith($".version {version}\n.target {target}\n.address_size 64\n"));
        if (kernel.Target is not (GpuTarget.MmaSync or GpuTarget.Wgmma))
            Assert.That(Lint.Counts(kernel.Ptx), Is.EqualTo((0, 0, 0)), "instructions of tensor cores");
    }

    [TestCaseSource(nameof(Kernels))]
    public void AssemblesForEveryArchitectureWithinItsRegisters(object tested)
    {
        Ptxas.Require();
        var kernel = (GpuKernel)tested;
        string[] architectures = kernel.Target == GpuTarget.Simt ? OfPortable
            : kernel.Target == GpuTarget.Wgmma ? ["sm_90a"]
            : kernel.Method.GetGenericArguments().Any(Dtypes.UsesBf16) ? OfBf16
            : Architectures;
        if (kernel.Target == GpuTarget.Wgmma)
            Ptxas.RequireHopper();
        foreach (string architecture in architectures)
        {
            Ptxas.Result result = Ptxas.Assemble(kernel.Ptx, architecture);
            TestContext.Out.WriteLine($"{architecture}: {result.Registers} registers of {kernel.Registers}");
            Assert.Multiple(() =>
            {
                Assert.That(result.Stack, Is.Zero, $"stack, {architecture}");
                Assert.That(result.Spills, Is.Zero, $"spilled bytes, {architecture}");
                Assert.That(result.Registers, Is.LessThanOrEqualTo(kernel.Registers), $"registers, {architecture}");
                Assert.That(result.Text, Does.Not.Contain(Serialized), "products that wait for each other");
            });
        }
    }

    [Test]
    public void PtxasSaysWhenProductsWaitForEachOther()
    {
        Ptxas.Require();
        Ptxas.RequireHopper();
        const string Wait = "wgmma.wait_group.sync.aligned 1;";
        string text = KernelRegistry.All.First(kernel => kernel.Target == GpuTarget.Wgmma).Ptx;
        Assert.That(text, Does.Contain(Wait));

        string used = text.Replace(Wait, "add.f32 %sum0, %sum0, %sum1; " + Wait);

        Assert.That(Ptxas.Assemble(used, "sm_90a").Text, Does.Contain(Serialized));
    }

    [Test]
    public void TheTextDoesNotDependOnWhatWasCompiledBeforeOrBeside()
    {
        GpuKernel[] kernels = [.. KernelRegistry.All];
        // The other tests, whichever came first, had them compiled in an order of their own.
        string[] forward = [.. kernels.Select(kernel => kernel.Ptx)];
        string[] backward = [.. kernels.Reverse().AsParallel().AsOrdered().WithDegreeOfParallelism(4)
            .Select(KernelCompiler.Compile).Reverse()];

        Assert.That(backward, Is.EqualTo(forward));
    }

    [Test]
    public void AKernelThatDoesNotCompileSpoilsNoOther()
    {
        GpuKernel good = KernelRegistry.All[0], bad = new(((Action<GlobalPtrFp32>)Throwing).Method, "Bad", 32, 1,
            32);
        string expected = KernelCompiler.Compile(good);

        // Every second compilation fails, beside others on as many threads as there are.
        string[] texts = [.. Enumerable.Range(0, 8).AsParallel().AsOrdered().WithDegreeOfParallelism(4).Select(turn =>
        {
            if (turn % 2 == 0)
                return KernelCompiler.Compile(good);
            Assert.That(() => KernelCompiler.Compile(bad),
                Throws.InvalidOperationException.With.Message.StartsWith("Bad does not compile"));
            return expected;
        })];

        Assert.That(texts, Has.All.EqualTo(expected));
        Assert.That(KernelCompiler.Compile(good), Is.EqualTo(expected));

        static void Throwing(GlobalPtrFp32 x) => Console.WriteLine($"{x.Load(0)}");
    }
}

/// <summary>Finds instructions that must not stand in a kernel's PTX.</summary>
internal static partial class Lint
{
    public static IEnumerable<string> Faults(string ptx, bool doubles)
    {
        foreach (string line in ptx.Split('\n', ';').Select(line => line.Trim()))
            if (Local().IsMatch(line))
                yield return $"local memory: {line}";
            else if (Generic().IsMatch(line))
                yield return $"generic memory access: {line}";
            else if (Call().IsMatch(line))
                yield return $"call: {line}";
            else if (!doubles && Double().IsMatch(line))
                yield return $"double precision: {line}";
            else if (Atomic().IsMatch(line))
                yield return $"atomic, whose order is chance: {line}";
            else if (Unrounded().IsMatch(line))
                yield return $"a sum or product that may be joined with another: {line}";
    }

    public static bool HasDoubles(string ptx) => Double().IsMatch(ptx);

    public static (int Mma, int LoadMatrix, int CopyAsync) Counts(string ptx) =>
        (MmaPattern().Count(ptx), LoadMatrixPattern().Count(ptx), CopyPattern().Count(ptx));

    [GeneratedRegex(@"\.local\b")]
    private static partial Regex Local();

    [GeneratedRegex(@"\b(ld|st|atom|red)\.(?!(volatile\.|relaxed\.)?(global|shared|param))")]
    private static partial Regex Generic();

    [GeneratedRegex(@"\bcall\b|\.func\b")]
    private static partial Regex Call();

    [GeneratedRegex(@"\.f64\b")]
    private static partial Regex Double();

    [GeneratedRegex(@"\b(atom|red)\.")]
    private static partial Regex Atomic();

    [GeneratedRegex(@"\b(add|sub|mul|div|fma)\.f64\b")]
    private static partial Regex Unrounded();

    [GeneratedRegex(@"\b(mma\.sync|wgmma\.mma_async)\.")]
    private static partial Regex MmaPattern();

    [GeneratedRegex(@"\bldmatrix\.sync")]
    private static partial Regex LoadMatrixPattern();

    [GeneratedRegex(@"\bcp\.async\.c[ag]\.")]
    private static partial Regex CopyPattern();
}
