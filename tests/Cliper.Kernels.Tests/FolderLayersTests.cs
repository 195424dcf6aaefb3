using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Tests;

/// <summary>
/// Holds the layers of the folders of Cliper.Kernels, as the compiled assembly has them: a type uses types of its own
/// folder and of those named here alone. The folders below Operations count as one.
/// </summary>
public sealed class FolderLayersTests
{
    private const string Root = "Cliper.Kernels";
    private const string Collectives = "Collectives", Memory = "Memory", MachineCode = "Cpu.MachineCode", Cpu = "Cpu",
        DeviceCode = "Gpu.DeviceCode", Compiler = "Gpu.Compiler", Runtime = "Gpu.Runtime", Cuda = "Gpu.Cuda",
        Operations = "Operations", Registry = "";

    private static readonly Dictionary<string, string[]> Below = new()
    {
        [Collectives] = [],
        [Memory] = [Collectives],
        [MachineCode] = [Memory],
        [Cpu] = [Memory, MachineCode],
        [DeviceCode] = [Memory],
        [Compiler] = [Memory, DeviceCode],
        [Runtime] = [Memory, DeviceCode, Compiler],
        [Cuda] = [Memory, DeviceCode, Compiler, Runtime],
        [Operations] = [Collectives, Memory, MachineCode, Cpu, DeviceCode, Compiler, Runtime, Cuda],
        [Registry] = [Collectives, Memory, MachineCode, Cpu, DeviceCode, Compiler, Runtime, Cuda, Operations],
    };

    [Test]
    public void EveryFolder_HasALayer() => Assert.That(Types().Select(FolderOf).Distinct(),
        Is.EquivalentTo(Below.Keys));

    [TestCaseSource(nameof(Folders))]
    public void AFolder_UsesOnlyThoseBelowIt(string folder)
    {
        IEnumerable<string> upward =
            from type in Types()
            where FolderOf(type) == folder
            from used in TypeReferences.Of(type)
            where used.Namespace?.StartsWith(Root, StringComparison.Ordinal) == true
            let other = FolderOf(used)
            where other != folder && !Below[folder].Contains(other)
            select $"{type.FullName} uses {used.FullName}";

        Assert.That(upward.Distinct(), Is.Empty);
    }

    private static IEnumerable<string> Folders => Below.Keys;

    private static IEnumerable<Type> Types() => typeof(Device).Assembly.GetTypes()
        .Where(type => type.Namespace?.StartsWith(Root, StringComparison.Ordinal) == true);

    private static string FolderOf(Type type)
    {
        string folder = type.Namespace![Root.Length..].TrimStart('.');
        return folder.StartsWith(Operations, StringComparison.Ordinal) ? Operations : folder;
    }
}
