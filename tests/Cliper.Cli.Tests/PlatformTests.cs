using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Cliper.Model.Images;
using Cliper.Model.Weights;

namespace Cliper.Cli.Tests;

/// <summary>
/// The program as it is published for other systems, under Debian's Wine and qemu-user. Each answer must be that of
/// this system within what other instruction sets round.
/// </summary>
[TestFixture("win-x64", "/usr/bin/wine", "cliper-gpu.exe")]
[TestFixture("linux-arm64", "/usr/bin/qemu-aarch64", "cliper-gpu")]
[Category("Platforms")]
public sealed class PlatformTests(string system, string emulator, string file)
{
    // Each system's features were measured within 1.3e-6 of PyTorch's, so two differ by 2.6e-6 of the largest one at
    // most: twice that is allowed. Cosines so far off, times a scale of at most 100, move a probability, whose slope is
    // at most 1/4, by 6.5e-5.
    private const double Probability = 1e-4, Feature = 5e-6;

    private static readonly string Arm64 = Path.Combine(Checkout.Root, ".build", "arm64");

    private readonly string _folder = Directory.CreateTempSubdirectory($"cliper-{system}-").FullName;

    private string Published => Path.Combine(_folder, "published", file);

    private string Photo => Path.Combine(_folder, "pictures", "happiness", "fröhlich 1.jpg");

    [OneTimeSetUp]
    public void Publish()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists(emulator))
            Assert.Ignore($"there is no {emulator}; ./test.sh installs it where it may");
        if (system == "linux-arm64" && !Directory.Exists(Arm64))
            Assert.Ignore($"there is no {Arm64}; eng/get-arm64.sh makes it");
        ProgramRun publish = ProgramRun.Of("dotnet", Checkout.Root, "publish", "src/Cliper.Cli", "-c", "Release", "-r",
            system, "--self-contained", "-o",
            Path.Combine(_folder, "published"), "-v", "quiet");
        Assert.That(publish.ExitCode, Is.Zero, publish.Out + publish.Error);
        Directory.CreateDirectory(Path.GetDirectoryName(Photo)!);
        File.Copy(Path.Combine(Checkout.Root, "docs", "images", "happy-baby.jpg"), Photo);
        string other = Path.Combine(_folder, "pictures", "sadness");
        Directory.CreateDirectory(other);
        File.WriteAllBytes(Path.Combine(other, "gray.png"),
            ImageCodec.Instance.Encode(new RgbImage(8, 8, new byte[3 * 8 * 8]), ImageFormat.Png));
    }

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Help_IsThatOfThisSystem() => Assert.That(Run("train", "--help").Out.ReplaceLineEndings("\n"),
        Is.EqualTo(ProgramRun.AsProcess("train", "--help").Out));

    [Test]
    public void Doctor_PassesAndNamesTheSystem()
    {
        ProgramRun run = Run("doctor", "--json");

        Assert.That(run.Error, Does.Not.Contain("failed"));
        Assert.That(run.Json.GetProperty("passed").GetBoolean());
    }

    [Test]
    public void Predict_AnswersAsThisSystem_ForAPathAsPeopleWriteIt()
    {
        JsonElement here = Answer(ProgramRun.AsProcess("predict", "--json", Photo));
        JsonElement there = Answer(Run("predict", "--json", Native(Photo)));

        AssertSame(there, here);
    }

    [Test]
    public async Task Serve_AnswersAsThisSystem()
    {
        JsonElement here = Answer(ProgramRun.AsProcess("predict", "--json", Photo));
        string[] start = [.. Start, "serve", "--port", "0"];
        using Process server = Process.Start(new ProcessStartInfo("env", start)
        {
            WorkingDirectory = _folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            Task<string> error = server.StandardError.ReadToEndAsync();
            string? address = await server.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(2));
            Assert.That(address, Does.StartWith("http://"), () => error.Result);
            using var client = new HttpClient { BaseAddress = new Uri(address!), Timeout = TimeSpan.FromMinutes(2) };
            HttpResponseMessage answer;
            int attempts = 0;
            // The first answer compiles all code that it takes, which under an emulator may outlast a request's time.
            do
                answer = await client.PostAsync("v1/predict",
                    new ByteArrayContent(await File.ReadAllBytesAsync(Photo)));
            while (answer.StatusCode == HttpStatusCode.GatewayTimeout && ++attempts < 5);

            Assert.That(answer.IsSuccessStatusCode, $"{answer.StatusCode}");
            AssertSame(Answer(new ProgramRun(0, await answer.Content.ReadAsStringAsync(), "")), here);
        }
        finally
        {
            server.Kill(entireProcessTree: true);
        }
    }

    [Test]
    public void Embed_GivesTheFeaturesOfThisSystem()
    {
        string weights = Path.Combine(Checkout.Root, "src/Cliper.Model/models/faces-clip.safetensors");
        string here = Path.Combine(_folder, "here.safetensors"), there = Path.Combine(_folder, "there.safetensors");
        ProgramRun local = ProgramRun.AsProcess("embed", "--weights", weights, "--images", Photo, "--out", here);
        Assert.That(local.ExitCode, Is.Zero, local.Error);
        Run("embed", "--weights", Native(weights), "--images", Native(Photo), "--out", Native(there));

        float[] expected = Features(here);
        Assert.That(Features(there), Is.EqualTo(expected).Within(Feature * expected.Max(MathF.Abs)));
    }

    [Test]
    public void DataVerify_CountsAFolder()
    {
        ProgramRun run = Run("data", "verify", "folder", Native(Path.Combine(_folder, "pictures")), "--json");
        Assert.That(run.Out, Does.Contain("\"name\": \"happiness\""));
    }

    [Test]
    public void Train_EndsWithAModelThatAnswers_AndIsResumed()
    {
        string folder = Native(Path.Combine(_folder, "run"));
        string[] settings =
        [
            "drawnPictures=35", "shape.imageSize=32", "shape.patchSize=16", "shape.visionWidth=64",
            "shape.visionLayers=1", "shape.textWidth=64", "shape.textLayers=1", "shape.embedSize=32",
            "pretrain.epochs=1", "pretrain.learningRate=1e-3", "pretrain.batchSize=16", "stage1.epochs=1",
            "stage1.batchSize=16", "stage2.epochs=1", "stage2.batchSize=16",
        ];
        Run(["train", "--recipe", "demo", "--out", folder, .. settings.SelectMany(value => new[] { "--set", value })]);
        Assert.That(Run("predict", "--model", folder, "--faces", "none", Native(Photo)).Out, Does.Contain("fröhlich"));
        Assert.That(Run("train", "--resume", folder).ExitCode, Is.Zero);
    }

    [Test]
    public void Launcher_StartsTheBuiltProgram()
    {
        if (system != "win-x64")
            Assert.Ignore("the launcher is for Windows; others have cliper-gpu");
        // Wine's powershell does nothing and succeeds, which to the launcher means that no source is newer.
        string root = Path.Combine(_folder, "checkout");
        Directory.CreateDirectory(Path.Combine(root, ".build"));
        File.Copy(Path.Combine(Checkout.Root, "cliper-gpu.cmd"), Path.Combine(root, "cliper-gpu.cmd"));
        Directory.CreateSymbolicLink(Path.Combine(root, ".build", "windows"), Path.GetDirectoryName(Published)!);

        ProgramRun run = ProgramRun.Of("env", root, $"WINEPREFIX={Path.Combine(_folder, "wine")}", "WINEDEBUG=-all",
            emulator, "cmd", "/c", Native(Path.Combine(root, "cliper-gpu.cmd")), "no-such-command");

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((2, run.Error)));
        Assert.That(run.Error, Does.Contain("unknown command 'no-such-command'"));
    }

    /// <summary>The path as that system writes it: Wine shows the root as drive Z.</summary>
    private string Native(string path) => system == "win-x64" ? "Z:" + path.Replace('/', '\\') : path;

    private static void AssertSame(JsonElement there, JsonElement here)
    {
        Assert.That(there.GetProperty("expression").GetString(),
            Is.EqualTo(here.GetProperty("expression").GetString()));
        foreach (JsonProperty one in here.GetProperty("probabilities").EnumerateObject())
            Assert.That(there.GetProperty("probabilities").GetProperty(one.Name).GetDouble(),
                Is.EqualTo(one.Value.GetDouble()).Within(Probability), one.Name);
    }

    // Arguments of env that start the program.
    private string[] Start => system == "win-x64"
        ? [$"WINEPREFIX={Path.Combine(_folder, "wine")}", "WINEDEBUG=-all", emulator, Published]
        : [$"QEMU_LD_PREFIX={Arm64}", .. FixedCode, emulator, Published];

    // Threads of qemu-user at times run code that the runtime is rewriting, and see null where there is none.
    private static readonly string[] FixedCode = ["DOTNET_TieredCompilation=0", "DOTNET_EnableWriteXorExecute=0"];

    private ProgramRun Run(params string[] args)
    {
        ProgramRun run = ProgramRun.Of("env", _folder, [.. Start, .. args]);
        Assert.That(run.ExitCode, Is.Zero, $"{string.Join(' ', args)}\n{run.Out}\n{run.Error}");
        return run;
    }

    private static JsonElement Answer(ProgramRun run)
    {
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        return run.Json.GetProperty("results")[0].GetProperty("faces")[0];
    }

    private static float[] Features(string path)
    {
        using var tensors = TensorSource.Open(path);
        return tensors.ReadFloats("image_features");
    }
}
