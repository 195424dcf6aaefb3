using System.Diagnostics;
using System.Globalization;

namespace Cliper.ServerBenchmark;

/// <summary>A server as a process of its own, at a free port.</summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private readonly Process _process;

    private ServerProcess(Process process, Uri address)
    {
        _process = process;
        Client = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromSeconds(30) })
        {
            BaseAddress = address,
            Timeout = TimeSpan.FromSeconds(30),
        };
    }

    /// <summary>A client of it.</summary>
    public HttpClient Client { get; }

    /// <summary>Starts one and waits until it is ready.</summary>
    /// <param name="program">The program.</param>
    /// <param name="options">Further options of its command serve.</param>
    public static async Task<ServerProcess> StartAsync(string program, params string[] options)
    {
        Process process = Process.Start(new ProcessStartInfo(program,
            ["serve", "--port", "0", "--device", "cpu", .. options])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        string? address = await process.StandardOutput.ReadLineAsync();
        return new ServerProcess(process, new Uri(address
            ?? throw new InvalidOperationException($"{program} serve has ended")));
    }

    /// <summary>The processors' time that it has used.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Sends a picture.</summary>
    public Task<HttpResponseMessage> PredictAsync(byte[] body, string query) =>
        Client.PostAsync($"v1/predict{query}", new ByteArrayContent(body));

    /// <summary>A value of the metrics.</summary>
    public async Task<double> MetricAsync(string name) => double.Parse((await Client.GetStringAsync("metrics"))
        .Split('\n').Single(line => line.StartsWith(name + " ", StringComparison.Ordinal))[(name.Length + 1)..],
        CultureInfo.InvariantCulture);

    /// <summary>Memory of the process that is not swapped out, in MiB.</summary>
    public double ResidentMebibytes() => double.Parse(File.ReadLines($"/proc/{_process.Id}/status")
        .Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal)).Split(' ', '\t')[^2],
        CultureInfo.InvariantCulture) / 1024;

    /// <summary>Ends it as a service manager does.</summary>
    /// <returns>Its exit code.</returns>
    public async Task<int> StopAsync()
    {
        using Process kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!_process.HasExited)
            await StopAsync();
        _process.Dispose();
    }
}
