using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace Cliper.Cli.Tests;

/// <summary>
/// Holds the house's walls: Cli -> Server -> Model -> Autograd -> Kernels and nothing the other way, in the project
/// files and in what the built assemblies really refer to.
/// </summary>
public sealed class ArchitectureTests
{
    private const string Kernels = "Cliper.Kernels", Autograd = "Cliper.Autograd", Model = "Cliper.Model",
        Server = "Cliper.Server", Cli = "Cliper.Cli";

    private static readonly string[] Projects = [Kernels, Autograd, Model, Server, Cli];

    [TestCase(Kernels)]
    [TestCase(Autograd, Kernels)]
    [TestCase(Model, Autograd)]
    [TestCase(Server, Model)]
    [TestCase(Cli, Server)]
    public void AProjectRefersToTheOneBelow(string project, params string[] below)
    {
        string[] referenced = [.. ProjectFile(project).Descendants("ProjectReference")
            .Select(reference =>
            Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))];

        Assert.That(referenced, Is.EqualTo(below));
    }

    [Test]
    public void EverySourceProjectIsOneOfTheFive() =>
        Assert.That(Directory.GetDirectories(Path.Combine(Checkout.Root, "src")).Select(Path.GetFileName),
        Is.EquivalentTo(Projects));

    [TestCase("System.CommandLine", Cli)]
    [TestCase("Spectre.Console", Cli)]
    [TestCase("ILGPU", Kernels)]
    [TestCase("SkiaSharp", Model)]
    [TestCase("SixLabors.ImageSharp", Model)]
    [TestCase("Microsoft.ML.Tokenizers", Model)]
    // Tests and benchmarks compare with it; no project of the program has it.
    [TestCase("Microsoft.ML.OnnxRuntime", "")]
    [TestCase("Microsoft.AspNetCore", Server)]
    public void APackageBelongsToOneProject(string package, string owner)
    {
        foreach (string project in Projects.Where(project => project != owner))
        {
            Assert.That(ProjectFile(project).Descendants("PackageReference").Select(reference =>
                reference.Attribute("Include")!.Value),
                Has.None.StartsWith(package), project);
            Assert.That(References(project).Namespaces, Has.None.StartsWith(package), project);
        }
    }

    [TestCaseSource(nameof(Projects))]
    public void AnAssemblyRefersToNoneAbove(string project) =>
        Assert.That(References(project).Assemblies.Intersect(Projects),
            Is.SubsetOf(Projects.TakeWhile(below => below != project)));

    [Test]
    public void OnlyKernelsUsesIntrinsics([Values(Autograd, Model, Server, Cli)] string project) =>
        Assert.That(References(project).Namespaces, Has.None.StartsWith("System.Runtime.Intrinsics"));

    [Test]
    public void LibrariesNeitherPrintNorExit([Values(Kernels, Autograd, Model, Server)] string project)
    {
        Names names = References(project);
        Assert.That(names.Types, Does.Not.Contain("System.Console"));
        Assert.That(names.Members,
            Does.Not.Contain("System.Environment.Exit").And.Not.Contain("System.Environment.FailFast"));
    }

    private sealed record Names(HashSet<string> Assemblies, HashSet<string> Namespaces, HashSet<string> Types,
        HashSet<string> Members);

    private static XDocument ProjectFile(string project) =>
        XDocument.Load(Path.Combine(Checkout.Root, "src", project, $"{project}.csproj"));

    /// <summary>All that an assembly's metadata names of other assemblies.</summary>
    private static Names References(string project)
    {
        using FileStream file = File.OpenRead(Path.Combine(AppContext.BaseDirectory,
            project == Cli ? "cliper-gpu.dll" : $"{project}.dll"));
        using var image = new PEReader(file);
        MetadataReader reader = image.GetMetadataReader();
        var names = new Names([], [], [], []);
        foreach (AssemblyReferenceHandle handle in reader.AssemblyReferences)
            names.Assemblies.Add(reader.GetString(reader.GetAssemblyReference(handle).Name));
        foreach (TypeReferenceHandle handle in reader.TypeReferences)
        {
            names.Namespaces.Add(reader.GetString(reader.GetTypeReference(handle).Namespace));
            names.Types.Add(TypeName(handle));
        }
        foreach (MemberReferenceHandle handle in reader.MemberReferences)
        {
            MemberReference member = reader.GetMemberReference(handle);
            if (member.Parent.Kind == HandleKind.TypeReference)
                names.Members.Add($"{TypeName((TypeReferenceHandle)member.Parent)}.{reader.GetString(member.Name)}");
        }
        return names;

        string TypeName(TypeReferenceHandle handle)
        {
            TypeReference type = reader.GetTypeReference(handle);
            return $"{reader.GetString(type.Namespace)}.{reader.GetString(type.Name)}";
        }
    }
}
