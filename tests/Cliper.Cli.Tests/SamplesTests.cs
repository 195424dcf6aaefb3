using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Cliper.Model.Images;

namespace Cliper.Cli.Tests;

/// <summary>The programs of samples/, as the solution builds them.</summary>
public sealed class SamplesTests
{
    private static readonly string[] Classes =
        ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"];

    private readonly string _folder = Directory.CreateTempSubdirectory("cliper-samples-").FullName;

    [OneTimeTearDown]
    public void Remove() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Autograd_LearnsTheExclusiveOr() => Assert.That(Run("Autograd"), Does.EndWith(
        "0 xor 0 = 0\n0 xor 1 = 1\n1 xor 0 = 1\n1 xor 1 = 0\n"));

    [Test]
    public void Console_NamesWhatItCannotRead()
    {
        string broken = Path.Combine(_folder, "broken.png");
        File.WriteAllBytes(broken, [0x89, 0x50, 0x4e, 0x47]);

        (int exitCode, _, string error) = Start("Console", broken);

        Assert.That((exitCode, error), Is.EqualTo((0, error)));
        Assert.That(error, Does.Contain($"{broken}: "));
    }

    [Test]
    public void Training_OfAFolder_LeavesAModelThatAnswers()
    {
        string data = Path.Combine(_folder, "faces"), run = Path.Combine(_folder, "run");
        var random = new Random(5);
        foreach (string split in new[] { "train", "train", "train", "test" })
            foreach (string name in Classes)
            {
                string folder = Path.Combine(data, split, name);
                Directory.CreateDirectory(folder);
                var pixels = new byte[3 * 48 * 48];
                random.NextBytes(pixels);
                File.WriteAllBytes(Path.Combine(folder, $"{random.Next()}.png"),
                    ImageCodec.Instance.Encode(new RgbImage(48, 48, pixels), ImageFormat.Png));
            }

        string output = Run("Training", data, run);

        Assert.That(output, Does.StartWith("WAR ").And.EndsWith(string.Join(", ", Classes) + "\n"));
        Assert.That(File.Exists(Path.Combine(run, "report.html")));
    }

    [Test]
    public async Task AspNetCore_AnswersAnImageAndRefusesOtherBytes()
    {
        const string Address = "http://127.0.0.1:5791";
        using Process server = Process.Start(Info("AspNetCore", "--urls", Address))!;
        _ = server.StandardOutput.ReadToEndAsync();
        try
        {
            using var client = new HttpClient { BaseAddress = new Uri(Address), Timeout = TimeSpan.FromMinutes(2) };
            byte[] image = ImageCodec.Instance.Encode(new RgbImage(64, 64, new byte[3 * 64 * 64]), ImageFormat.Png);
            HttpResponseMessage answered = await Post(client, image), refused = await Post(client, [1, 2, 3]);

            JsonElement answer = await answered.Content.ReadFromJsonAsync<JsonElement>();
            Assert.That(answered.StatusCode, Is.EqualTo(HttpStatusCode.OK));
            Assert.That(answer.GetProperty("width").GetInt32(), Is.EqualTo(64));
            Assert.That(refused.StatusCode, Is.EqualTo(HttpStatusCode.UnsupportedMediaType));
        }
        finally
        {
            server.Kill(entireProcessTree: true);
            await server.WaitForExitAsync();
        }
    }

    /// <summary>Posts as soon as the server listens.</summary>
    private static async Task<HttpResponseMessage> Post(HttpClient client, byte[] body)
    {
        for (int attempt = 0; ; attempt++)
            try
            {
                return await client.PostAsync("/expressions", new ByteArrayContent(body));
            }
            catch (HttpRequestException) when (attempt < 600)
            {
                await Task.Delay(100);
            }
    }

    private static string Run(string sample, params string[] args)
    {
        (int exitCode, string output, string error) = Start(sample, args);
        Assert.That(exitCode, Is.Zero, error);
        return output.ReplaceLineEndings("\n");
    }

    private static (int ExitCode, string Out, string Error) Start(string sample, params string[] args)
    {
        using Process process = Process.Start(Info(sample, args))!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    private static ProcessStartInfo Info(string sample, params string[] args)
    {
        string program = Path.Combine(Checkout.Root, "samples", sample, "bin", "Release", "net10.0", $"{sample}.dll");
        Assert.That(program, Does.Exist, "the solution builds the samples: dotnet build Cliper.Gpu.sln -c Release");
        return new ProcessStartInfo("dotnet", [program, .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = sample != "AspNetCore",
        };
    }
}
