using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Cliper.Kernels.Cpu;

namespace Cliper.Cli.Tests;

/// <summary>
/// A run that version 0.1 made and left interrupted in stage 2 (tests/fixtures/run-0.1) is evaluated, predicted with
/// and resumed, and a run from nothing is trained, to the bits that version 0.1 computes.
/// </summary>
public sealed class RunOfVersion01Tests
{
    private const string Placeholder = "FOLDER";

    // Three logits that differ in their last bits by the instruction set: between AVX2 and AVX-512 version 0.1 itself
    // differs by 2.6e-7 in these probabilities.
    private const double Tolerance = 1e-5;

    private static readonly string Fixture = Path.Combine(Checkout.Root, "tests", "fixtures", "run-0.1");

    private static readonly string[] OnCpu = ["--device", "cpu", "--threads", "1"];

    private string _run = "";

    [SetUp]
    public void CopyRun()
    {
        _run = Directory.CreateTempSubdirectory("cliper-0.1-").FullName;
        foreach (string file in Directory.GetFiles(Fixture, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(_run, Path.GetRelativePath(Fixture, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        string config = Path.Combine(_run, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace(Placeholder, _run, StringComparison.Ordinal));
    }

    [TearDown]
    public void RemoveRun() => Directory.Delete(_run, recursive: true);

    [Test]
    public void Predict_CheckpointOfVersion01_GivesItsAnswers()
    {
        ProgramRun run = ProgramRun.InProcess(
            ["predict", "--checkpoint", _run, Path.Combine(_run, "data", "test"), "--faces", "none", "--json",
            .. OnCpu]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonNode answers = InFormOfVersion01(
            JsonNode.Parse(run.Out.Replace(_run + "/", "", StringComparison.Ordinal))!), expected = Expected("predict");
        AssertClose(answers, expected);
        if (HashOf("resumed") is not null && SimdLevels.Best == SimdLevel.Avx512)
            Assert.That(JsonNode.DeepEquals(answers, expected), Is.True, run.Out);
    }

    [Test]
    public void Evaluate_RunOfVersion01_CountsAlike()
    {
        ProgramRun run = ProgramRun.InProcess(
            ["eval", "--run", _run, "--data", Path.Combine(_run, "data"), "--dataset", "folder",
            "--json", .. OnCpu]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        // Version 0.1 did not say who answered, how well calibrated that was, and what could not be read.
        JsonObject result = JsonNode.Parse(run.Out)!.AsObject();
        Assert.That(result.Remove("model") && result.Remove("calibrationError")
            && result.Remove("unreadable"));
        Assert.That(JsonNode.DeepEquals(result, Expected("eval")), Is.True, run.Out);
    }

    [Test]
    public void Resume_RunOfVersion01_EndsWithTheSameBits()
    {
        ProgramRun run = ProgramRun.InProcess(["train", "--resume", _run, "--json", .. OnCpu]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Error, Does.Contain("going on in stage2, epoch 3, step 2"));
        JsonObject result = JsonNode.Parse(run.Out)!.AsObject();
        // Version 0.1 had one method, and did not name it.
        Assert.That(result.Remove("run") && result.Remove("method"));
        Assert.That(JsonNode.DeepEquals(result, Expected("train")), Is.True, run.Out);
        AssertBits("resumed", Path.Combine(_run, "checkpoints", "model.safetensors"));
    }

    [Test]
    public void Train_FromNothing_EndsWithTheBitsOfVersion01()
    {
        string folder = Path.Combine(_run, "whole");

        // Settings by the keys of version 0.1.
        ProgramRun run = ProgramRun.InProcess(["train", "--out", folder, .. RunTests.TinyOn(Path.Combine(_run, "data")),
            "--pretrain-epochs", "2", "--set", "pretrain.clipNorm=0.5", "--device", "cpu"]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        AssertBits("fromNothing", Path.Combine(folder, "checkpoints", "model.safetensors"));
    }

    private static JsonNode Expected(string name) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(Fixture, "expected", $"{name}.json")))!;

    /// <summary>Hash that version 0.1 gives on this machine's instruction set; null where it is not known.</summary>
    private static string? HashOf(string name) => RuntimeInformation.ProcessArchitecture == Architecture.X64
        ? (string?)Expected("sha256")[SimdLevels.Best.ToString()]?[name] : null;

    private static void AssertBits(string name, string file)
    {
        if (HashOf(name) is not { } hash)
        {
            Assert.Ignore(
                $"no hash of version 0.1 is known for {SimdLevels.Best.Describe()} on "
                + $"{RuntimeInformation.ProcessArchitecture}");
            return;
        }
        Assert.That(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))), Is.EqualTo(hash));
    }

    /// <summary>The answers of predict --json as version 0.1 wrote them: an array, one answer a file.</summary>
    private static JsonArray InFormOfVersion01(JsonNode document) =>
        [.. document["results"]!.AsArray().Select(result =>
        {
            JsonNode face = result!["faces"]!.AsArray().Single()!;
            return new JsonObject
            {
                ["file"] = result["file"]!.DeepClone(),
                ["label"] = face["expression"]!.DeepClone(),
                ["probabilities"] = face["probabilities"]!.DeepClone(),
                ["subclass"] = face["descriptor"]!.DeepClone(),
                ["face"] = face["box"]?.DeepClone(),
            };
        })];

    private static void AssertClose(JsonNode answers, JsonNode expected)
    {
        Assert.That(answers.AsArray(), Has.Count.EqualTo(expected.AsArray().Count));
        foreach ((JsonNode? answer, JsonNode? wanted) in answers.AsArray().Zip(expected.AsArray()))
        {
            Assert.That((string?)answer!["file"], Is.EqualTo((string?)wanted!["file"]));
            foreach ((string name, JsonNode? share) in wanted["probabilities"]!.AsObject())
                Assert.That((double)answer["probabilities"]![name]!, Is.EqualTo((double)share!).Within(Tolerance),
                    name);
        }
    }
}
