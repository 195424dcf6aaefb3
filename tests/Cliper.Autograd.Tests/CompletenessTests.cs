using System.Text.RegularExpressions;

namespace Cliper.Autograd.Tests;

/// <summary>
/// Every operation has all its parts: docs/adding-an-operation.md is the checklist that this enforces.
/// </summary>
public sealed class CompletenessTests
{
    private const string Remedy = "see docs/adding-an-operation.md";

    // Folders of Operations that hold no operation.
    private static readonly Dictionary<string, string> NotOperations = new()
    {
        ["Roofline"] = "measures a device and computes nothing that a model needs",
    };

    private static readonly Dictionary<string, string> WithoutGpuPart = new()
    {
        ["Erase"] = "Normalize erases the rectangle on a GPU, in the pass that writes the pixels",
        ["Flip"] = "Resize mirrors the image on a GPU, in its first pass",
    };

    private static readonly Dictionary<string, string> WithoutGradient = new()
    {
        ["AdamWUpdate"] = "is the optimizer's step",
        ["AffineWarp"] = "works on bytes of images, which are no parameters",
        ["Cast"] = "copies an fp32 master weight to 16 bits; the gradient goes to the fp32 weight as it is",
        ["ColorJitter"] = "works on bytes of images, which are no parameters",
        ["ColumnSum"] = "is itself the gradient of a bias that is added to every row",
        ["Erase"] = "works on images, which are no parameters",
        ["Flip"] = "works on bytes of images, which are no parameters",
        ["GradientNorm"] = "measures gradients",
        ["Normalize"] = "works on bytes of images, which are no parameters",
        ["Philox"] = "draws numbers, which depend on no parameter",
        ["Resize"] = "works on bytes of images, which are no parameters",
        ["SgdUpdate"] = "is the optimizer's step",
    };

    // Operations without a reference in double that the tests of all back ends share.
    private static readonly Dictionary<string, string> WithoutReference = new()
    {
        ["Philox"] = "draws words, which the CPU's tests compare with published answers and the GPU's with the CPU's",
    };

    private static readonly string Root = FindRoot();

    private static readonly string GpuTests = Text(Path.Combine(Root, "tests", "Cliper.Gpu.Tests"));

    private static IEnumerable<string> Operations =>
        Directory.GetDirectories(Path.Combine(Root, "src", "Cliper.Kernels", "Operations"))
            .Select(folder => Path.GetFileName(folder)!).Where(name => !NotOperations.ContainsKey(name)).Order();

    private static IEnumerable<string> TapeOperations =>
        Directory.GetFiles(Path.Combine(Root, "src", "Cliper.Autograd", "Operations"), "*.cs")
            .Select(file => Path.GetFileNameWithoutExtension(file)).Order();

    [TestCaseSource(nameof(Operations))]
    public void Operation_HasContractCpuPartAndCpuTest(string operation)
    {
        string contract = Contract(operation), test = Read("tests", "Cliper.Kernels.Tests", "Operations",
            $"{operation}Tests.cs");
        if (!contract.Contains("NoImplementation("))
        {
            Assert.That(contract, Does.Not.Contain("DeviceArray"),
                "an operation on device memory refuses other devices by name");
            return; // The operation works on host memory: its contract is its implementation.
        }
        Read("src", "Cliper.Kernels", "Operations", operation, $"{operation}.Cpu.cs");
        // Bytes of images are worked on without SIMD registers.
        if (contract.Contains("DeviceArray"))
            Assert.That(test, Does.Contain("HostDevices(level)"), "the test must run at every instruction set");
    }

    [TestCaseSource(nameof(Operations))]
    public void Operation_HasGpuPartAndGpuTest(string operation)
    {
        if (HasReason(WithoutGpuPart, operation, Contract(operation).Contains("case GpuDevice"), "a GPU part"))
            return;
        Assert.That(Contract(operation), Does.Contain("case GpuDevice"), $"{operation} has no GPU part: {Remedy}");
        bool isTested = Regex.IsMatch(GpuTests,
            $@"\b{operation}\.\w+[(<)]|\busing static Cliper\.Kernels\.Operations\.{operation};");
        Assert.That(isTested, $"no test of tests/Cliper.Gpu.Tests calls {operation}: {Remedy}");
    }

    [TestCaseSource(nameof(Operations))]
    public void Operation_HasAReferenceThatEveryBackEndIsTestedAgainst(string operation)
    {
        string name = $"{operation}Reference", file = Path.Combine("tests", "References", $"{name}.cs");
        if (HasReason(WithoutReference, operation, File.Exists(Path.Combine(Root, file)), "a reference"))
            return;
        Read("tests", "References", $"{name}.cs");
        var calls = new Regex($@"\b{name}\.\w+");
        Assert.That(calls.IsMatch(Read("tests", "Cliper.Kernels.Tests", "Operations", $"{operation}Tests.cs")),
            $"{operation}Tests of tests/Cliper.Kernels.Tests does not call {file}: {Remedy}");
        Assert.That(WithoutGpuPart.ContainsKey(operation) || calls.IsMatch(GpuTests),
            $"no test of tests/Cliper.Gpu.Tests calls {file}: {Remedy}");
    }

    [TestCaseSource(nameof(Operations))]
    public void Operation_IsOnTheTape(string operation)
    {
        string tape = Text(Path.Combine(Root, "src", "Cliper.Autograd", "Operations"));
        bool isThere = Regex.IsMatch(tape, $@"\bOperations\.{operation};|\b{operation}\.Backward<");
        if (!HasReason(WithoutGradient, operation, isThere, "a gradient"))
            Assert.That(isThere, $"{operation} has no gradient in src/Cliper.Autograd/Operations: {Remedy}");
    }

    [TestCaseSource(nameof(TapeOperations))]
    public void TapeOperation_HasItsGradientTested(string operation) =>
        Assert.That(Read("tests", "Cliper.Autograd.Tests", "Operations", $"{operation}Tests.cs"),
            Does.Contain("AssertGradients("));

    [Test]
    public void Reasons_NameOperationsThatExist() =>
        Assert.That(NotOperations.Keys.Concat(WithoutGpuPart.Keys).Concat(WithoutGradient.Keys)
            .Concat(WithoutReference.Keys).Distinct().Where(name =>
            !Directory.Exists(Path.Combine(Root, "src", "Cliper.Kernels", "Operations", name))), Is.Empty);

    // A reason that no longer holds must go, or a part could be lost again unseen.
    private static bool HasReason(Dictionary<string, string> reasons, string operation, bool hasPart, string part)
    {
        if (!reasons.TryGetValue(operation, out string? reason))
            return false;
        Assert.That(hasPart, Is.False,
            $"{operation} has {part}, yet CompletenessTests lists a reason why it has none ({reason})");
        return true;
    }

    private static string Contract(string operation) => Read("src", "Cliper.Kernels", "Operations", operation,
        $"{operation}.cs");

    private static string Read(params string[] parts)
    {
        string relative = Path.Combine(parts);
        Assert.That(Path.Combine(Root, relative), Does.Exist, $"{relative} is missing: {Remedy}");
        return File.ReadAllText(Path.Combine(Root, relative));
    }

    private static string Text(string folder) => string.Join('\n', Directory.GetFiles(folder, "*.cs",
        SearchOption.AllDirectories)
        .Where(file =>
            !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}")).Select(File.ReadAllText));

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Cliper.Gpu.sln")))
                return folder.FullName;
        throw new InvalidOperationException($"no Cliper.Gpu.sln above {AppContext.BaseDirectory}");
    }
}
