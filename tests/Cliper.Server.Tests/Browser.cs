using System.Diagnostics;
using System.Net.WebSockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cliper.Server.Tests;

/// <summary>Headless Chromium with a fake camera, driven by its DevTools protocol.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly string _profile;
    private readonly ClientWebSocket _socket = new();
    private int _commands;

    private Browser(Process process, string profile) => (_process, _profile) = (process, profile);

    /// <summary>The program; null where there is none.</summary>
    public static string? Program { get; } = Environment.GetEnvironmentVariable("PATH")!.Split(':')
        .SelectMany(folder => new[] { "chromium", "chromium-browser", "google-chrome" }.Select(name =>
            Path.Combine(folder, name))).FirstOrDefault(File.Exists);

    /// <summary>Messages of the page's console and of the security policy.</summary>
    public List<string> Complaints { get; } = [];

    /// <summary>Starts it.</summary>
    /// <param name="camera">A YUV4MPEG2 file, which the camera shows.</param>
    public static async Task<Browser> StartAsync(string camera)
    {
        string profile = Directory.CreateTempSubdirectory("cliper-browser-").FullName;
        var start = new ProcessStartInfo(Program!,
        [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--remote-debugging-port=0", $"--user-data-dir={profile}", "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream", $"--use-file-for-fake-video-capture={camera}", "about:blank",
        ])
        { RedirectStandardError = true, RedirectStandardOutput = true };
        Process process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        var browser = new Browser(process, profile);
        string ports = Path.Combine(profile, "DevToolsActivePort");
        long began = Stopwatch.GetTimestamp();
        while (!File.Exists(ports) || (await File.ReadAllTextAsync(ports)).Split('\n').Length < 2)
        {
            Assert.That(Stopwatch.GetElapsedTime(began), Is.LessThan(Patience), "the browser starts");
            await Task.Delay(50);
        }
        string port = (await File.ReadAllLinesAsync(ports))[0];
        using var client = new HttpClient();
        JsonNode targets = JsonNode.Parse(await client.GetStringAsync($"http://127.0.0.1:{port}/json/list"))!;
        string page = targets.AsArray().First(target => (string)target!["type"]! == "page")!["webSocketDebuggerUrl"]!
            .GetValue<string>();
        await browser._socket.ConnectAsync(new Uri(page), CancellationToken.None);
        foreach (string domain in new[] { "Page", "Runtime", "Log", "Accessibility" })
            await browser.SendAsync($"{domain}.enable");
        return browser;
    }

    /// <summary>Sends a command and gives its result.</summary>
    public async Task<JsonElement> SendAsync(string method, JsonNode? parameters = null)
    {
        int id = ++_commands;
        var command = new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters ?? new JsonObject() };
        using var end = new CancellationTokenSource(Patience);
        await _socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(command), WebSocketMessageType.Text, true,
            end.Token);
        while (true)
        {
            JsonElement message = await ReceiveAsync(end.Token);
            if (message.TryGetProperty("id", out JsonElement answered) && answered.GetInt32() == id)
                return message.TryGetProperty("result", out JsonElement result) ? result
                    : throw new InvalidOperationException($"{method}: {message}");
            if (message.GetProperty("method").GetString() is "Runtime.exceptionThrown" or "Log.entryAdded")
                Complaints.Add(message.GetRawText());
        }
    }

    /// <summary>The value of an expression of JavaScript.</summary>
    public async Task<JsonElement> EvaluateAsync(string expression)
    {
        JsonElement result = await SendAsync("Runtime.evaluate", new JsonObject
        {
            ["expression"] = expression,
            ["returnByValue"] = true,
            ["awaitPromise"] = true,
        });
        JsonElement value = result.GetProperty("result");
        return value.TryGetProperty("value", out JsonElement plain) ? plain : value;
    }

    /// <summary>Waits until an expression of JavaScript is true.</summary>
    public async Task WaitForAsync(string condition)
    {
        long began = Stopwatch.GetTimestamp();
        while ((await EvaluateAsync($"!!({condition})")).ValueKind != JsonValueKind.True)
        {
            Assert.That(Stopwatch.GetElapsedTime(began), Is.LessThan(Patience),
                $"{condition}; the page says: {await EvaluateAsync("document.body.innerText")}");
            await Task.Delay(50);
        }
    }

    /// <summary>Opens a page.</summary>
    public async Task OpenAsync(Uri page)
    {
        await SendAsync("Page.navigate", new JsonObject { ["url"] = page.ToString() });
        await WaitForAsync("document.readyState === 'complete' && document.getElementById('stage')");
    }

    /// <summary>Gives the page a size and a color scheme.</summary>
    public async Task LookAsync(int width, int height, string scheme)
    {
        await SendAsync("Emulation.setDeviceMetricsOverride", new JsonObject
        {
            ["width"] = width,
            ["height"] = height,
            ["deviceScaleFactor"] = 1,
            ["mobile"] = width < 600,
        });
        await SendAsync("Emulation.setEmulatedMedia", new JsonObject
        {
            ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = scheme }),
        });
    }

    /// <summary>Drops a file on the middle of the page.</summary>
    public async Task DropAsync(string file)
    {
        foreach (string type in new[] { "dragEnter", "dragOver", "drop" })
            await SendAsync("Input.dispatchDragEvent", new JsonObject
            {
                ["type"] = type,
                ["x"] = 150,
                ["y"] = 300,
                ["data"] = new JsonObject
                {
                    ["items"] = new JsonArray(),
                    ["files"] = new JsonArray(file),
                    ["dragOperationsMask"] = 1,
                },
            });
    }

    /// <summary>Presses a key.</summary>
    public async Task PressAsync(string key, int code, string? text = null)
    {
        foreach (string type in new[] { "keyDown", "keyUp" })
        {
            var press = new JsonObject { ["type"] = type, ["key"] = key, ["windowsVirtualKeyCode"] = code };
            if (type == "keyDown" && text is not null)
                press["text"] = text;
            await SendAsync("Input.dispatchKeyEvent", press);
        }
    }

    /// <summary>A picture of the page, as PNG.</summary>
    public async Task<byte[]> ScreenshotAsync() => (await SendAsync("Page.captureScreenshot", new JsonObject
    {
        ["format"] = "png",
        ["captureBeyondViewport"] = true,
    })).GetProperty("data").GetBytesFromBase64();

    private async Task<JsonElement> ReceiveAsync(CancellationToken cancellation)
    {
        using var message = new MemoryStream();
        var chunk = new byte[1 << 16];
        WebSocketReceiveResult read;
        do
        {
            read = await _socket.ReceiveAsync(chunk, cancellation);
            message.Write(chunk, 0, read.Count);
        }
        while (!read.EndOfMessage);
        return JsonDocument.Parse(message.ToArray()).RootElement;
    }

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        // Children of the browser may write for a moment after it has ended.
        for (int attempt = 0; Directory.Exists(_profile) && attempt < 20; attempt++)
            try
            {
                Directory.Delete(_profile, recursive: true);
            }
            catch (IOException)
            {
                await Task.Delay(100);
            }
    }
}
