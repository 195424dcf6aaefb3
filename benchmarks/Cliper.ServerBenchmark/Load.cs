using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Http.Headers;

namespace Cliper.ServerBenchmark;

/// <summary>
/// Many clients with valid and hostile bodies for some time. Each answer is compared with the library's, and the
/// server's memory is watched.
/// </summary>
/// <param name="program">The program.</param>
/// <param name="bodies">The requests.</param>
/// <param name="time">How long.</param>
/// <param name="clients">How many at once.</param>
internal sealed class Load(string program, Bodies bodies, TimeSpan time, int clients)
{
    // One request in three is hostile; of those one in eight is given up while it is underway.
    private const int ValidOf3 = 2, GivenUpOf8 = 1;

    private readonly ConcurrentDictionary<(string Name, int Status), int> _answers = new();
    private readonly ConcurrentBag<string> _wrong = [];
    private int _right, _refused, _givenUp;

    /// <summary>Runs it.</summary>
    /// <returns>0 when every answer was right and nothing hung.</returns>
    public async Task<int> RunAsync()
    {
        await using ServerProcess server = await ServerProcess.StartAsync(program);
        LoadRequest[] valid = bodies.Valid();
        double atStart = server.ResidentMebibytes();
        long began = Stopwatch.GetTimestamp();
        Task work = Task.WhenAll(Enumerable.Range(0, clients).Select(client =>
            ClientAsync(server, valid, client, began)));
        Console.WriteLine("seconds,memory_mib,right,refused,given_up,wrong");
        var memory = new List<double>();
        TimeSpan between = time / 20;
        while (await Task.WhenAny(work, Task.Delay(between)) != work)
        {
            memory.Add(server.ResidentMebibytes());
            Console.WriteLine($"{Stopwatch.GetElapsedTime(began).TotalSeconds:F0},{memory[^1]:F0},{_right},{_refused},"
                + $"{_givenUp},{_wrong.Count}");
            if (Stopwatch.GetElapsedTime(began) > time + TimeSpan.FromMinutes(1))
                throw new TimeoutException("a client hangs");
        }
        await work;
        string metrics = await server.Client.GetStringAsync("metrics");
        bool isEmpty = metrics.Contains("\ncliper_queue_depth 0\n", StringComparison.Ordinal);
        int code = await server.StopAsync();
        foreach (((string name, int status), int count) in _answers.OrderBy(entry => entry.Key))
            Console.WriteLine($"# {name}: {status}, {count} times");
        foreach (string wrong in _wrong.Take(10))
            Console.WriteLine($"# wrong: {wrong}");
        // The second half has all code compiled and all buffers made.
        double[] half = [.. memory.Skip(memory.Count / 2)];
        Console.WriteLine($"# memory: {atStart:F0} MiB at the start, {half.Take(half.Length / 2).Average():F0} MiB in "
            + $"the third quarter, {half.Skip(half.Length / 2).Average():F0} MiB in the last");
        Console.WriteLine($"# {_right} right answers, {_wrong.Count} wrong ones, queue empty: {isEmpty}, exit code "
            + $"{code}");
        return _wrong.IsEmpty && isEmpty && code == 0 ? 0 : 1;
    }

    private async Task ClientAsync(ServerProcess server, LoadRequest[] valid, int client, long began)
    {
        var random = new Random(client);
        while (Stopwatch.GetElapsedTime(began) < time)
        {
            LoadRequest request = random.Next(3) < ValidOf3 ? valid[random.Next(valid.Length)] : bodies.Hostile(random);
            using var end = new CancellationTokenSource();
            if (request.Expected is null && random.Next(8) < GivenUpOf8)
                end.CancelAfter(random.Next(1, 20));
            try
            {
                await AskAsync(server.Client, request, end.Token);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                Interlocked.Increment(ref _givenUp);
            }
            catch (HttpRequestException) when (request.Status == 413)
            {
                // The server may close while nine megabytes are being sent, before the client reads its answer.
                Interlocked.Increment(ref _refused);
            }
            catch (Exception failure)
            {
                _wrong.Add($"{request.Name}: {failure.GetType().Name}: {failure.Message}");
            }
        }
    }

    private async Task AskAsync(HttpClient http, LoadRequest request, CancellationToken cancellation)
    {
        var content = new ByteArrayContent(request.Body);
        if (request.ContentType is { } type)
            content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        using HttpResponseMessage answer = await http.PostAsync(request.Path, content, cancellation);
        byte[] body = await answer.Content.ReadAsByteArrayAsync(cancellation);
        int status = (int)answer.StatusCode;
        _answers.AddOrUpdate((request.Name, status), 1, (_, count) => count + 1);
        if (status != request.Status || !request.IsRight(body))
            _wrong.Add($"{request.Name}: {status}, expected {request.Status} and the library's answer");
        else if (request.Expected is null)
            Interlocked.Increment(ref _refused);
        else
            Interlocked.Increment(ref _right);
    }
}
