using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using Cliper.Kernels.Memory;
using Cliper.Model;

namespace Cliper.Cli.Tests;

/// <summary>Holds the rule that libraries state facts and the command line alone names its options.</summary>
public sealed partial class RemedyTests
{
    [Test]
    public void NoLibrary_NamesAnOption([Values("Cliper.Kernels", "Cliper.Autograd", "Cliper.Model")] string library) =>
        Assert.That(Literals($"{library}.dll").Where(text => Option().IsMatch(text)), Is.Empty);

    [Test]
    public void TheProgram_NamesItsOptions() =>
        Assert.That(Literals("cliper-gpu.dll"), Has.Some.Matches(Option().ToString()));

    [Test]
    public void EveryDeviceFailure_IsExplained([Values] DeviceFailure failure) =>
        Assert.That(Remedies.Explain(new DeviceException(failure, "fact")), Does.StartWith("fact"));

    [Test]
    public void EveryRemedy_IsWorded([Values] Remedy remedy)
    {
        string explained = Remedies.Explain(new InputException("file: fact") { Remedy = remedy });

        Assert.That(explained, remedy == Remedy.None ? Is.EqualTo("file: fact") : Does.StartWith("file: fact; "));
        Assert.That(explained[10..], remedy == Remedy.None ? Is.Empty : Does.Contain("--"));
    }

    [Test]
    public void ADivergence_NamesItsStageAndGoesOnWhereThereIsACheckpoint([Values] TrainingStage stage,
        [Values] bool hasCheckpoint) => Assert.That(
        Remedies.Explain(new DivergedException("fact", stage, hasCheckpoint)),
        Does.Contain($"--set {stage.Name()}.learningRate=")
        .And.Contain(hasCheckpoint ? "--resume" : "--overwrite"));

    /// <summary>All string literals of an assembly's code.</summary>
    private static List<string> Literals(string assembly)
    {
        using FileStream file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly));
        using var image = new PEReader(file);
        MetadataReader reader = image.GetMetadataReader();
        List<string> literals = [];
        for (UserStringHandle at = reader.GetNextHandle(MetadataTokens.UserStringHandle(0)); !at.IsNil;
            at = reader.GetNextHandle(at))
            literals.Add(reader.GetUserString(at));
        return literals;
    }

    [GeneratedRegex("(^| )--[a-z]")]
    private static partial Regex Option();
}
