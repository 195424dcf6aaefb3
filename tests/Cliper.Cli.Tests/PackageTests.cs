using System.Diagnostics;

namespace Cliper.Cli.Tests;

/// <summary>The packages as their users meet them: packed, restored from a folder, built, run and published.</summary>
[Category("Long"), Explicit("packs and restores for minutes: --filter TestCategory=Long")]
public sealed class PackageTests
{
    private const string Project = """
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <OutputType>Exe</OutputType>
            <TargetFramework>net10.0</TargetFramework>
            <Nullable>enable</Nullable>
            <ImplicitUsings>enable</ImplicitUsings>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="Cliper.Model" Version="VERSION" />
          </ItemGroup>
        </Project>
        """;

    private const string Program = """
        using Cliper.Model;
        using Cliper.Model.Images;

        using ExpressionRecognizer recognizer = ExpressionRecognizer.Load("drawn-faces");
        Recognition answer = recognizer.Recognize(new RgbImage(48, 48, new byte[3 * 48 * 48]));
        Console.WriteLine($"{answer.Faces.Single().Probabilities.Count} classes");
        """;

    // A version of its own: a package of the same version would be taken from the cache of an earlier test.
    private readonly string _version = $"0.0.0-test{DateTime.UtcNow:yyyyMMddHHmmss}";
    private readonly string _folder = Directory.CreateTempSubdirectory("cliper-packages-").FullName;

    private string Consumer => Path.Combine(_folder, "consumer");

    [OneTimeSetUp]
    public void Pack()
    {
        foreach (string library in new[] { "Cliper.Kernels", "Cliper.Autograd", "Cliper.Model",
            "Cliper.Server" })
            DotNet(Checkout.Root, "pack", $"src/{library}", "-c", "Release", "-o", Path.Combine(_folder, "feed"),
                $"-p:Version={_version}", "--nologo", "-v", "quiet");
        Directory.CreateDirectory(Consumer);
        File.WriteAllText(Path.Combine(Consumer, "consumer.csproj"), Project.Replace("VERSION", _version,
            StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(Consumer, "Program.cs"), Program);
        DotNet(Consumer, "new", "nugetconfig");
        DotNet(Consumer, "nuget", "add", "source", Path.Combine(_folder, "feed"), "-n", "packed", "--configfile",
            "nuget.config");
    }

    [OneTimeTearDown]
    public void Remove()
    {
        Directory.Delete(_folder, recursive: true);
        string cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        foreach (string library in new[] { "cliper.kernels", "cliper.autograd", "cliper.model", "cliper.server" })
            if (Path.Combine(cache, library, _version) is var packed && Directory.Exists(packed))
                Directory.Delete(packed, recursive: true);
    }

    [Test]
    public void AConsumer_IsBuiltAndRuns() =>
        Assert.That(DotNet(Consumer, "run", "-c", "Release"), Does.Contain("7 classes"));

    [Test]
    public void AConsumerWithoutTheModels_HasNone()
    {
        string output = Path.Combine(_folder, "without");
        DotNet(Consumer, "publish", "-c", "Release", "-o", output, "-p:CliperModels=false");
        Assert.That(Directory.Exists(Path.Combine(output, "models")), Is.False);
    }

    [TestCase("linux-x64", "libSkiaSharp.so"), TestCase("linux-arm64", "libSkiaSharp.so")]
    [TestCase("win-x64", "libSkiaSharp.dll"), TestCase("osx-arm64", "libSkiaSharp.dylib")]
    public void AConsumer_IsPublishedForEverySystem(string system, string native)
    {
        string output = Path.Combine(_folder, system);
        DotNet(Consumer, "publish", "-c", "Release", "-r", system, "--self-contained", "-o", output);

        string[] files = [.. Directory.EnumerateFiles(output, "*", SearchOption.AllDirectories).Select(file =>
            Path.GetRelativePath(output, file).Replace('\\', '/'))];
        string[] shipped = [.. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "src/Cliper.Model/models"),
            "*.safetensors").Select(file => $"models/{Path.GetFileName(file)}")];
        Assert.That(files.Where(file => file.EndsWith(".safetensors", StringComparison.Ordinal)),
            Is.EquivalentTo(shipped), "each model once");
        Assert.That(files.Where(file => Path.GetFileName(file).StartsWith("libSkiaSharp", StringComparison.Ordinal)
            && !file.EndsWith(".pdb", StringComparison.Ordinal)), Is.EqualTo(new[] { native }));
        if (system == "linux-x64")
            Assert.That(Run(Consumer, Path.Combine(output, "consumer")), Does.Contain("7 classes"));
    }

    [Test]
    public void TheTool_IsPackedForEverySystemAndInstalls()
    {
        const long Largest = 40_000_000;
        string feed = Path.Combine(_folder, "tools"), installed = Path.Combine(_folder, "installed");
        DotNet(Checkout.Root, "pack", "src/Cliper.Cli", "-c", "Release", "-o", feed, $"-p:Version={_version}",
            "--nologo", "-v", "quiet");

        Dictionary<string, long> packed = new DirectoryInfo(feed).GetFiles().ToDictionary(file =>
            file.Name.Replace($".{_version}.nupkg", "", StringComparison.Ordinal), file => file.Length);
        DotNet(Consumer, "tool", "install", "cliper-gpu", "--version", _version, "--tool-path", installed,
            "--add-source", feed);

        Assert.That(packed.Keys, Is.EquivalentTo(new[] { "cliper-gpu", "cliper-gpu.linux-x64", "cliper-gpu.linux-arm64",
            "cliper-gpu.win-x64", "cliper-gpu.osx-x64", "cliper-gpu.osx-arm64" }));
        Assert.That(packed.Values, Is.All.LessThan(Largest));
        Assert.That(Run(Consumer, Path.Combine(installed, "cliper-gpu"), "--version"), Does.StartWith(_version));
    }

    private static string DotNet(string folder, params string[] args) => Run(folder, "dotnet", args);

    private static string Run(string folder, string file, params string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo(file, args)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, $"{file} {string.Join(' ', args)}\n{output}\n{error.Result}");
        return output;
    }
}
