using System.Reflection;
using System.Text.RegularExpressions;
using Cliper.Kernels;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests;

/// <summary>
/// Device code can be told from host code: each entry point of the registry carries <see cref="DeviceCodeAttribute"/>,
/// ends in "Kernel" and stands in a file of kernels, and each entry point that is marked so is registered.
/// docs/device-code.md says why.
/// </summary>
public sealed partial class DeviceCodeTests
{
    private const BindingFlags Everything = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public
        | BindingFlags.NonPublic
        | BindingFlags.DeclaredOnly;

    private static readonly HashSet<MethodInfo> Registered = [.. KernelRegistry.All.Select(kernel =>
        Definition(kernel.Method))];

    [Test]
    public void RegisteredKernels_CarryTheAttribute() => Assert.That(
        Registered.Where(method => !method.IsDefined(typeof(DeviceCodeAttribute))).Select(Describe), Is.Empty,
        "entry points without [DeviceCode]");

    [Test]
    public void RegisteredKernels_EndInKernel() => Assert.That(
        Registered.Where(method => !method.Name.EndsWith("Kernel", StringComparison.Ordinal)).Select(Describe),
        Is.Empty, "entry points of another name");

    [Test]
    public void EntryPointsOfDeviceCode_AreRegistered() => Assert.That(
        typeof(GpuKernel).Assembly.GetTypes().SelectMany(type => type.GetMethods(Everything))
            .Where(method => method.IsDefined(typeof(DeviceCodeAttribute))
                && !Registered.Contains(method)).Select(Describe), Is.Empty,
        "entry points that no class lists in a property of type IEnumerable<GpuKernel>");

    [Test]
    public void EntryPointsOfDeviceCode_StandInFilesOfKernels()
    {
        string[] misplaced = [.. Sources().Where(file => !KernelsFile().IsMatch(file))
            .SelectMany(file => EntryPoint().Matches(File.ReadAllText(file)).Select(match =>
                $"{Path.GetFileName(file)}: {match.Groups[1]}"))];

        Assert.That(misplaced, Is.Empty, "entry points outside of <Operation>.Kernels.cs and its parts");
    }

    [Test]
    public void MethodsOfOperationsThatEndInKernel_AreDeviceCode() => Assert.That(
        typeof(GpuKernel).Assembly.GetTypes().Where(type => type.Namespace == typeof(Elementwise).Namespace)
            .SelectMany(type => type.GetMethods(Everything)).Where(method => !method.IsSpecialName
                && method.Name.EndsWith("Kernel", StringComparison.Ordinal)
                    && !Registered.Contains(method)).Select(Describe), Is.Empty,
        "host methods with the ending of device code");

    private static MethodInfo Definition(MethodInfo method)
    {
        // A method of a generic type has its definition in the definition of that type.
        Type owner = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericTypeDefinition()
            : method.DeclaringType;
        return owner.GetMethods(Everything).Single(candidate => candidate.MetadataToken == method.MetadataToken);
    }

    private static string Describe(MethodInfo method) => $"{method.DeclaringType!.Name}.{method.Name}";

    private static string[] Sources()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (Path.Combine(folder.FullName, "src", "Cliper.Kernels", "Operations") is var operations
                && Directory.Exists(operations))
                return Directory.GetFiles(operations, "*.cs", SearchOption.AllDirectories);
        throw new InvalidOperationException($"no src/Cliper.Kernels/Operations above {AppContext.BaseDirectory}");
    }

    [GeneratedRegex(@"\.Kernels(\.\w+)?\.cs$")]
    private static partial Regex KernelsFile();

    [GeneratedRegex(@"\[DeviceCode\][^;{]*?\bvoid (\w+)")]
    private static partial Regex EntryPoint();
}
