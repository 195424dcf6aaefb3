using System.Text.Json;
using Cliper.Model;
using Cliper.Model.Export;

namespace Cliper.Cli.Tests;

/// <summary>The command "export onnx": what it writes, says and refuses.</summary>
public sealed class ExportTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("cliper-export-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase("export", "onnx", "drawn-faces")]
    [TestCase("export", "onnx", "--model", "drawn-faces")]
    public void AModel_IsWrittenAndVerified(params string[] words)
    {
        ProgramRun run = ProgramRun.InProcess([.. words, "--out", In("a/model.onnx"), "--verify", "--fp16"]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        string[] lines = run.Out.TrimEnd().Split('\n');
        Assert.That(lines, Has.Length.EqualTo(2));
        Assert.That(lines[0], Does.StartWith(In("a/model.onnx: drawn-faces, 7 classes, opset 17, fp16, input uint8 "
            + "[N, 48, 48, 3], ")).And.EndsWith("MiB"));
        Assert.That(lines[1], Does.StartWith(In("a/model.onnx: verified: 4 of 4 drawn faces have the program's "
            + "answer, ")));
        Assert.That(Directory.GetFiles(In("a")), Has.Length.EqualTo(1));
    }

    [Test]
    public void WithoutAName_TheModelOfPredictIsWritten()
    {
        ProgramRun run = ProgramRun.InProcess("export", "onnx", "--out", In("model.onnx"));

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Error, Does.Contain($"no model is named: {ShippedModels.Default.Name} is written"));
        if (ShippedModels.Default == ShippedModels.Photographs)
            Assert.That(run.Error, Does.Contain("research use"));
        Assert.That(run.Out, Does.Contain(ShippedModels.Default.Name));
    }

    [Test]
    public void TheDocument_SaysWhatTheLineDoes()
    {
        ProgramRun run = ProgramRun.InProcess("export", "onnx", "--detector", "--out", In("face.onnx"), "--opset", "20",
            "--float-input", "--verify", "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement document = run.Json, verification = document.GetProperty("verification");
        Assert.That(document.GetProperty("out").GetString(), Is.EqualTo(In("face.onnx")));
        Assert.That(document.GetProperty("model").GetString(), Is.EqualTo("face detector"));
        Assert.That(document.GetProperty("opset").GetInt32(), Is.EqualTo(20));
        Assert.That(document.GetProperty("type").GetString(), Is.EqualTo("fp32"));
        Assert.That(document.GetProperty("input").GetString(), Is.EqualTo("float32 [N, 3, 256, 256]"));
        Assert.That(document.GetProperty("bytes").GetInt64(), Is.EqualTo(new FileInfo(In("face.onnx")).Length));
        Assert.That(verification.GetProperty("sound").GetBoolean());
        Assert.That(verification.GetProperty("sameAnswers").GetInt32(), Is.EqualTo(4));
    }

    [TestCase(2, "--opset is 16; it must lie within 17 and ", "--opset", "16")]
    [TestCase(2, "--opset is -1; it must lie within 17 and ", "--opset", "-1")]
    [TestCase(2, "--opset is 2147483647; it must lie within 17 and ", "--opset", "2147483647")]
    [TestCase(2, "Cannot parse argument 'x' for option '--opset'", "--opset", "x")]
    [TestCase(2, "--detector and a model (drawn-faces) exclude each other", "drawn-faces", "--detector")]
    [TestCase(2, "--detector and a model (drawn-faces) exclude each other", "--model", "drawn-faces", "--detector")]
    [TestCase(2, "the model is named twice, as drawn-faces and as --model photographs", "drawn-faces", "--model",
        "photographs")]
    [TestCase(2, "unknown option '--fp61'; did you mean '--fp16'?", "drawn-faces", "--fp61")]
    [TestCase(2, "--threads is -1; it must lie within 0 and 1024", "drawn-faces", "--threads", "-1")]
    [TestCase(3, "drawn-fases: no such file or folder, and no model of this name comes with the program; did you mean "
        + "'drawn-faces'?", "drawn-fases")]
    public void AWrongOption_IsOneError(int exitCode, string message, params string[] words)
    {
        ProgramRun run = ProgramRun.InProcess(["export", "onnx", .. words, "--out", In("model.onnx")]);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")), run.Error);
        Assert.That(run.Error, Does.Contain($"cliper-gpu: {message}"));
        Assert.That(Directory.GetFiles(_folder), Is.Empty);
    }

    [Test]
    public void ItsOwnInput_IsNotReplaced([Values("model.safetensors", "x/../model.safetensors", "link")] string output)
    {
        File.Copy(ShippedModels.Cliper, In("model.safetensors"));
        Directory.CreateDirectory(In("x"));
        File.CreateSymbolicLink(In("link"), In("model.safetensors"));
        byte[] before = File.ReadAllBytes(In("model.safetensors"));

        ProgramRun run = ProgramRun.InProcess("export", "onnx", In("model.safetensors"), "--out", In(output));

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.Contain("name another file"));
        Assert.That(File.ReadAllBytes(In("model.safetensors")), Is.EqualTo(before));
    }

    [Test]
    public void WhatIsNoModel_IsInvalidInput()
    {
        File.WriteAllText(In("text.safetensors"), "no model");

        ProgramRun text = ProgramRun.InProcess("export", "onnx", In("text.safetensors"), "--out", In("a.onnx")),
            clip = ProgramRun.InProcess("export", "onnx", ShippedModels.Clip, "--out", In("a.onnx"));

        Assert.That((text.ExitCode, clip.ExitCode), Is.EqualTo((3, 3)), text.Error + clip.Error);
        Assert.That(clip.Error, Does.Contain("not a checkpoint of cliper-gpu"));
        Assert.That(File.Exists(In("a.onnx")), Is.False);
    }

    [TestCase("/proc/none/model.onnx", 1)]
    [TestCase("/dev/full", 1)]
    public void APlaceThatCannotBeWritten_IsOneError(string output, int exitCode)
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("needs /proc and /dev/full");
        ProgramRun run = ProgramRun.InProcess("export", "onnx", "drawn-faces", "--out", output);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")), run.Error);
        Assert.That(run.Error, Does.Contain($"{output}: cannot be written: "));
    }

    [Test]
    public void ADevice_CannotBeVerified()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("needs /dev/null");
        ProgramRun run = ProgramRun.InProcess("export", "onnx", "drawn-faces", "--out", "/dev/null", "--verify"),
            plain = ProgramRun.InProcess("export", "onnx", "drawn-faces", "--out", "/dev/null");

        Assert.That((run.ExitCode, plain.ExitCode), Is.EqualTo((3, 0)), run.Error + plain.Error);
        Assert.That(run.Error, Does.Contain("give a regular file"));
    }

    [Test]
    public void TheOpsets_AreThoseOfTheLibrary() =>
        Assert.That(ProgramRun.InProcess("export", "onnx", "--help").Out,
            Does.Contain($"{OnnxOptions.LeastOpset} to {OnnxOptions.LatestOpset}"));

    private string In(string name) => Path.Combine(_folder, name);
}
