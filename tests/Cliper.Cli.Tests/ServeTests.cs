using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Cliper.Cli.Tests;

/// <summary>The command serve, from its first line to its end.</summary>
public sealed class ServeTests
{
    [Test]
    public async Task Serve_AnswersAsPredictDoes_AndEndsWithCode0()
    {
        string picture = Path.Combine(Checkout.Root, "docs/images/happy-baby.jpg");
        using var end = new CancellationTokenSource();
        using var output = new LineWriter();
        using var error = new StringWriter();
        Task<int> serve = Task.Run(() => Application.Run(["serve", "--port", "0", "--device", "cpu"],
            new Terminal(output, error), end.Token));
        Assert.That(await Task.WhenAny(output.FirstLine, serve), Is.SameAs(output.FirstLine), error.ToString());
        using var client = new HttpClient { BaseAddress = new Uri(await output.FirstLine) };

        using HttpResponseMessage answer = await client.PostAsync("v1/predict",
            new ByteArrayContent(await File.ReadAllBytesAsync(picture)));
        string ready = await client.GetStringAsync("healthz/ready");
        await end.CancelAsync();

        Assert.That(await serve, Is.EqualTo(ExitCode.Done), error.ToString());
        Assert.That(ready, Is.EqualTo("ready\n"));
        Assert.That(error.ToString(), Does.Contain("photographs is ready after")
            .And.Contain("trained on FER2013: research use"));
        JsonElement served = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement;
        ProgramRun predict = ProgramRun.InProcess("predict", picture, "--json", "--device", "cpu");
        JsonElement printed = JsonDocument.Parse(predict.Out).RootElement;
        Assert.That(Names(served), Is.EqualTo(Names(printed)));
        Assert.That(served.GetProperty("model").GetProperty("sha256").GetString(),
            Is.EqualTo(printed.GetProperty("model").GetProperty("sha256").GetString()));
        Assert.That(ProbabilityOf(served), Is.EqualTo(ProbabilityOf(printed)).Within(1e-5));

        static string[] Names(JsonElement document) =>
            [.. document.EnumerateObject().Concat(document.GetProperty("results")[0].EnumerateObject())
                .Concat(document.GetProperty("results")[0].GetProperty("faces")[0].EnumerateObject())
                .Select(member => member.Name)];

        static double ProbabilityOf(JsonElement document) => document.GetProperty("results")[0].GetProperty("faces")[0]
            .GetProperty("probability").GetDouble();
    }

    [Test]
    public void APortInUse_IsOneSentence()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string port = $"{((IPEndPoint)listener.LocalEndpoint).Port}";

        ProgramRun run = ProgramRun.InProcess("serve", "--port", port, "--model", "drawn-faces", "--device", "cpu");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((ExitCode.Failed, "")));
        Assert.That(run.Error.TrimEnd('\n').Split('\n')[^1],
            Does.StartWith($"cliper-gpu: 127.0.0.1:{port} cannot be listened at").And.Contain("--port"));
    }

    [TestCase("--port is 65536; it must lie within 0 and 65535", "--port", "65536")]
    [TestCase("--host is 'example'; expected localhost or an address of this machine, such as 0.0.0.0", "--host",
        "example")]
    [TestCase("--batch is 0; it must lie within 1 and 64", "--batch", "0")]
    [TestCase("--batch-wait is -1; it must lie within 0 and 1000", "--batch-wait", "-1")]
    [TestCase("--token-file /dev/null: its first line is empty; expected a token", "--token-file", "/dev/null")]
    public void AWrongValue_IsOneSentence(string message, params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess(["serve", .. args]);

        Assert.That((run.ExitCode, run.Out, run.Error), Is.EqualTo((ExitCode.Usage, "", $"cliper-gpu: {message}\n")));
    }

    [TestCase("--model", "no-such-run"), TestCase("--token-file", "no-such-file")]
    public void WhatIsMissing_IsExitCode3(params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess(["serve", .. args]);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((ExitCode.Input, "")));
        Assert.That(run.Error, Does.StartWith("cliper-gpu: no-such-"));
    }

    /// <summary>Tells the first line that is written.</summary>
    private sealed class LineWriter : StringWriter
    {
        private readonly TaskCompletionSource<string> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> FirstLine => _first.Task;

        public override void WriteLine(object? value) => _first.TrySetResult($"{value}");
    }
}
