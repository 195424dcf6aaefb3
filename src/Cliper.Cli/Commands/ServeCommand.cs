using System.CommandLine;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Server;
using Microsoft.Extensions.Logging;

namespace Cliper.Cli.Commands;

/// <summary>A server that answers pictures, with a page for people.</summary>
internal sealed class ServeCommand : CliCommand
{
    /// <summary>The variable of the environment that holds the token.</summary>
    internal const string TokenVariable = "CLIPER_TOKEN";

    private const int UsualPort = 8080, MostBatch = 64, MostWait = 1000;

    private readonly ModelOptions _model = new();

    private readonly FaceOptions _faces = new();

    private readonly Option<int> _port = new("--port")
    {
        Description = "The port that it listens at; 0 is a free one.",
        HelpName = "PORT",
        DefaultValueFactory = _ => UsualPort,
    };

    private readonly Option<string> _host = new("--host")
    {
        Description = "The address that it listens at: localhost is this machine alone, 0.0.0.0 every network.",
        HelpName = "ADDRESS",
        DefaultValueFactory = _ => "127.0.0.1",
    };

    private readonly Option<string?> _tokenFile = new("--token-file")
    {
        Description = "A file whose first line every request has to carry as its bearer token; without it the variable "
            + $"{TokenVariable} holds one, or there is none.",
        HelpName = "FILE",
    };

    private readonly Option<int> _batch = new("--batch")
    {
        Description = "Faces of several requests that the model answers together, at most.",
        HelpName = "N",
        DefaultValueFactory = _ => new CliperServerOptions().BatchFaces,
    };

    private readonly Option<double> _batchWait = new("--batch-wait")
    {
        Description = "Milliseconds that the model waits for further faces while pictures are underway to it.",
        HelpName = "MS",
        DefaultValueFactory = _ => new CliperServerOptions().BatchWait.TotalMilliseconds,
    };

    private readonly Option<bool> _noPage = new("--no-page")
    {
        Description = "Leaves the page out.",
    };

    public ServeCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("serve", "A server that answers pictures over HTTP, with a page for people.", terminal, common,
            cancellation)
    {
        foreach (Option option in (Option[])[.. _model.TrainedOptions, _port, _host, .. _faces.Options, _tokenFile,
            _batch, _batchWait, _noPage])
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        long began = Stopwatch.GetTimestamp();
        ModelRequest request = _model.Read(parsed) ?? ModelRequest.Default;
        FaceOptions.FaceRequest faces = _faces.Read(parsed);
        (IPAddress address, int port) = (AddressOf(parsed), PortOf(parsed));
        var options = new CliperServerOptions
        {
            BatchFaces = BatchOf(parsed),
            BatchWait = BatchWaitOf(parsed),
            Token = TokenOf(parsed),
            HasPage = !parsed.GetValue(_noPage),
        };
        request.Find();
        using Device device = Common.OpenDevice(parsed);
        RecognizerOptions looks = faces.ForRecognizer() with { Device = device, Flip = _model.IsFlip(parsed) };
        ServeAsync(address, port, () => ExpressionRecognizer.Load(request.Text, looks), options, began).GetAwaiter()
            .GetResult();
        return ExitCode.Done;
    }

    private async Task ServeAsync(IPAddress address, int port, Func<ExpressionRecognizer> load,
        CliperServerOptions options, long began)
    {
        RecognizerModel? model = null;
        await using ServerHost server = await StartAsync(address, port, () =>
        {
            ExpressionRecognizer recognizer = load();
            model = recognizer.Model;
            return recognizer;
        }, options).ConfigureAwait(false);
        foreach (string note in model!.Notes)
            Terminal.Say($"{model.Name}: {note}");
        if (!IPAddress.IsLoopback(address) && options.Token is null)
            Terminal.Say($"warning: everyone who reaches {address} may ask: {TokenVariable} or --token-file sets a "
                + "token");
        Terminal.Say(Format.Invariant(
            $"{model.Name} is ready after {Stopwatch.GetElapsedTime(began).TotalSeconds:F2} s; Ctrl-C ends it"));
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("url", server.Address.ToString());
                json.WriteString("model", model.Name);
                json.WriteEndObject();
            });
        else
            Terminal.Out.WriteLine(server.Address);
        Terminal.Out.Flush();
        await Task.Delay(Timeout.Infinite, Cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await server.StopAsync().ConfigureAwait(false);
    }

    private static async Task<ServerHost> StartAsync(IPAddress address, int port, Func<ExpressionRecognizer> load,
        CliperServerOptions options)
    {
        try
        {
            return await ServerHost.StartAsync(address, port, load, options, Log).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or SocketException)
        {
            throw new IOException($"{address}:{port} cannot be listened at ({failure.Message}): choose another --port "
                + "or --host", failure);
        }
    }

    /// <summary>Sends messages on failures to standard error. A start that fails ends in one line of its own.</summary>
    private static void Log(ILoggingBuilder log) => log.SetMinimumLevel(LogLevel.Error)
        .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace)
        .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None)
        .AddFilter("Cliper.Server.RecognitionService", LogLevel.None);

    private IPAddress AddressOf(ParseResult parsed)
    {
        string host = parsed.GetValue(_host)!;
        return host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(host, out IPAddress? address) ? address
            : throw new SettingsException(
                $"--host is '{host}'; expected localhost or an address of this machine, such as 0.0.0.0");
    }

    private int PortOf(ParseResult parsed)
    {
        int port = parsed.GetValue(_port);
        return port is >= 0 and <= ushort.MaxValue ? port
            : throw new SettingsException($"--port is {port}; it must lie within 0 and {ushort.MaxValue}");
    }

    private int BatchOf(ParseResult parsed)
    {
        int batch = parsed.GetValue(_batch);
        return batch is >= 1 and <= MostBatch ? batch
            : throw new SettingsException($"--batch is {batch}; it must lie within 1 and {MostBatch}");
    }

    private TimeSpan BatchWaitOf(ParseResult parsed)
    {
        double wait = parsed.GetValue(_batchWait);
        return wait is >= 0 and <= MostWait ? TimeSpan.FromMilliseconds(wait) : throw new SettingsException(
            FormattableString.Invariant($"--batch-wait is {wait}; it must lie within 0 and {MostWait}"));
    }

    private string? TokenOf(ParseResult parsed)
    {
        if (parsed.GetValue(_tokenFile) is not { } file)
            return Environment.GetEnvironmentVariable(TokenVariable) is { Length: > 0 } set ? set : null;
        try
        {
            return File.ReadLines(file).FirstOrDefault()?.Trim() is { Length: > 0 } token ? token
                : throw new SettingsException($"--token-file {file}: its first line is empty; expected a token");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{file}: the token cannot be read ({failure.Message})", failure);
        }
    }
}
