namespace Cliper.Autograd.Tests;

/// <summary>Every operation has all its parts: docs/adding-an-operation.md is the checklist that this enforces.</summary>
public sealed class CompletenessTests
{
    private static readonly string Root = FindRoot();

    private static IEnumerable<string> Kernels => Directory.GetDirectories(Path.Combine(Root, "src", "Cliper.Kernels", "Operations"))
        .Select(folder => Path.GetFileName(folder)!).Order();

    private static IEnumerable<string> TapeOperations =>
        Directory.GetFiles(Path.Combine(Root, "src", "Cliper.Autograd", "Operations"), "*.cs")
            .Select(file => Path.GetFileNameWithoutExtension(file)).Order();

    [TestCaseSource(nameof(Kernels))]
    public void AKernelHasContractImplementationAndTest(string operation)
    {
        string contract = Read("src", "Cliper.Kernels", "Operations", operation, $"{operation}.cs");
        string test = Read("tests", "Cliper.Kernels.Tests", "Operations", $"{operation}Tests.cs");
        if (!contract.Contains("DeviceArray"))
            return; // Works on host memory: its contract is its implementation.

        string folder = Path.Combine(Root, "src", "Cliper.Kernels", "Operations", operation);
        string host = Read("src", "Cliper.Kernels", "Operations", operation,
            File.Exists(Path.Combine(folder, $"{operation}.Cpu.cs")) ? $"{operation}.Cpu.cs" : $"{operation}.Host.cs");
        Assert.Multiple(() =>
        {
            Assert.That(contract + host, Does.Contain("NoImplementation("), "other devices must be refused by name");
            Assert.That(test, Does.Contain("HostDevices(level)"), "the test must run at every instruction set");
        });
    }

    [TestCaseSource(nameof(Kernels))]
    public void AKernelWithAGradientIsOnTheTape(string operation)
    {
        if (!Read("src", "Cliper.Kernels", "Operations", operation, $"{operation}.cs").Contains(" void Backward"))
            return;
        string folder = Path.Combine(Root, "src", "Cliper.Autograd", "Operations");
        Assert.That(Directory.GetFiles(folder, "*.cs").Select(File.ReadAllText),
            Has.Some.Contains($"Operations.{operation};").Or.Some.Contains($"{operation}.Backward<"));
    }

    [TestCaseSource(nameof(TapeOperations))]
    public void ATapeOperationHasItsGradientTested(string operation) =>
        Assert.That(Read("tests", "Cliper.Autograd.Tests", "Operations", $"{operation}Tests.cs"), Does.Contain("AssertGradients("));

    private static string Read(params string[] parts)
    {
        string relative = Path.Combine(parts);
        Assert.That(Path.Combine(Root, relative), Does.Exist, $"{relative} is missing: see docs/adding-an-operation.md");
        return File.ReadAllText(Path.Combine(Root, relative));
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Cliper.Gpu.sln")))
                return folder.FullName;
        throw new InvalidOperationException($"no Cliper.Gpu.sln above {AppContext.BaseDirectory}");
    }
}
