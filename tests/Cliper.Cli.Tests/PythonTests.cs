using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cliper.Model;
using Cliper.Model.Images;

namespace Cliper.Cli.Tests;

/// <summary>Runs the Python of docs/weights.md, so that what it says of a checkpoint holds.</summary>
public sealed partial class PythonTests
{
    private const double Bound = 1e-5;

    /// <summary>In a file that was converted to fp16 text_features are those of the weights before they were rounded,
    /// by up to 2^-11 of themselves, while predict computes them of the rounded ones.</summary>
    private const double ConvertedBound = 1e-4;

    /// <summary>A stand-in for the package safetensors, as much of it as the listings use.</summary>
    private const string SafeTensors = """
        import json, numpy

        class safe_open:
            def __init__(self, path, framework):
                with open(path, "rb") as file:
                    data = file.read()
                end = 8 + int.from_bytes(data[:8], "little")
                self.header, self.data = json.loads(data[8:end]), data[end:]

            def metadata(self):
                return self.header["__metadata__"]

            def get_tensor(self, name):
                entry = self.header[name]
                start, end = entry["data_offsets"]
                dtype = {"F32": "<f4", "F16": "<f2"}[entry["dtype"]]
                return numpy.frombuffer(self.data[start:end], dtype).reshape(entry["shape"])

        """;

    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("cliper-python-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void TenLines_ReproduceTheProbabilities([Values("photographs", "drawn-faces")] string name)
    {
        string python = PythonOrIgnore(), model = ShippedModels.Find(name)!.Path, listing = Listings()[0];
        Assert.That(listing.TrimEnd().Split('\n'), Has.Length.EqualTo(10));
        foreach (string file in new[] { "a.png", "b.png", "c.png" })
            File.WriteAllBytes(In(file), SkiaImageCodec.Instance.Encode(Image(60, file[0]), ImageFormat.Png));
        ProgramRun embedded = ProgramRun.InProcess("embed", "--weights", model, "--images", In("a.png"), In("b.png"),
            In("c.png"), "--out", In("features.safetensors"), "--device", "cpu");
        Assert.That(embedded.ExitCode, Is.Zero, embedded.Error);

        float[][] found = Run(python, listing, model, In("features.safetensors"));

        AssertSame(found, Predicted(name, "a.png", "b.png", "c.png"), ConvertedBound);
    }

    [Test]
    public void TheTower_ReproducesAProbability()
    {
        string python = PythonOrIgnore(), model = ShippedModels.DrawnFaces.Path;
        RgbImage image = Image(48, 'd');
        File.WriteAllBytes(In("d.rgb"), image.Pixels);
        File.WriteAllBytes(In("d.png"), SkiaImageCodec.Instance.Encode(image, ImageFormat.Png));
        string[] listings = Listings();
        // The ten lines go on from the features, whoever made them.
        string rest = listings[0][listings[0].IndexOf("text, facts", StringComparison.Ordinal)..];

        float[][] found = Run(python, listings[1] + rest, model, In("d.rgb"));

        AssertSame(found, Predicted("drawn-faces", "d.png"), ConvertedBound);
    }

    /// <summary>A checkpoint as a run writes it: its weights are not rounded.</summary>
    [Test]
    public void ACheckpointInFp32_GivesTheSameToFiveDigits()
    {
        string python = PythonOrIgnore(), model = In("model.safetensors");
        ProgramRun converted = ProgramRun.InProcess("weights", "convert", ShippedModels.DrawnFaces.Path, "--out", model,
            "--type", "f32");
        Assert.That(converted.ExitCode, Is.Zero, converted.Error);
        File.WriteAllBytes(In("a.png"), SkiaImageCodec.Instance.Encode(Image(60, 'a'), ImageFormat.Png));
        ProgramRun embedded = ProgramRun.InProcess("embed", "--weights", model, "--images", In("a.png"), "--out",
            In("features.safetensors"), "--device", "cpu");
        Assert.That(embedded.ExitCode, Is.Zero, embedded.Error);

        AssertSame(Run(python, Listings()[0], model, In("features.safetensors")), Predicted(model, "a.png"), Bound);
    }

    private static string[] Listings() => [.. Listing()
        .Matches(File.ReadAllText(Path.Combine(Checkout.Root, "docs", "weights.md")).ReplaceLineEndings("\n"))
        .Select(listing => listing.Groups["code"].Value)];

    private float[][] Predicted(string model, params string[] files)
    {
        ProgramRun run = ProgramRun.InProcess(["predict", .. files.Select(In), "--model", model, "--faces", "none",
            "--json", "--device", "cpu"]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        return [.. run.Json.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("faces")[0]
            .GetProperty("probabilities").EnumerateObject().Select(entry => entry.Value.GetSingle()).ToArray())];
    }

    private static void AssertSame(float[][] found, float[][] expected, double bound)
    {
        Assert.That(found, Has.Length.EqualTo(expected.Length));
        foreach ((float[] one, float[] other) in found.Zip(expected))
            Assert.That(one, Is.EqualTo(other).Within(bound));
    }

    private float[][] Run(string python, string code, params string[] args)
    {
        File.WriteAllText(In("listing.py"), code);
        (int exitCode, string output, string error) = Start(python, [In("listing.py"), .. args]);
        Assert.That(exitCode, Is.Zero, error);
        return JsonSerializer.Deserialize<float[][]>(output)!;
    }

    /// <summary>A Python that has NumPy, and a package safetensors or the stand-in for it; ends the test as ignored
    /// where there is none.</summary>
    private string PythonOrIgnore()
    {
        foreach (string python in new[] { "python3", "/usr/bin/python3" })
            try
            {
                if (Start(python, ["-c", "import numpy"]).ExitCode != 0)
                    continue;
                if (Start(python, ["-c", "import safetensors"]).ExitCode != 0)
                    File.WriteAllText(In("safetensors.py"), SafeTensors);
                return python;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                // There is no program of this name: the next one is tried.
            }
        Assert.Ignore("needs python3 with NumPy (on Debian python3-numpy)");
        return "";
    }

    private static (int ExitCode, string Out, string Error) Start(string file, string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo(file, args)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    private static RgbImage Image(int size, int seed) => new(size, size, [.. Enumerable.Range(0, size * size * 3)
        .Select(i => (byte)(127 + 100 * Math.Sin(i * 0.01 * (seed - 90)) + i % 20))]);

    private string In(string name) => Path.Combine(_folder, name);

    [GeneratedRegex("^```python\n(?<code>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Listing();
}
