using System.Diagnostics;
using System.Globalization;
using Cliper.Model;
using Cliper.Model.Images;
using Cliper.ServerBenchmark;

// Usage: Cliper.ServerBenchmark PROGRAM PICTURE start|batches|waits|latency|throughput|load [SECONDS] [CLIENTS]
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args.Length < 3)
{
    Console.Error.WriteLine("usage: Cliper.ServerBenchmark PROGRAM PICTURE start|batches|waits|latency|throughput|"
        + "load [SECONDS] [CLIENTS]");
    return 2;
}
(string program, string picture, string what) = (args[0], args[1], args[2]);
TimeSpan time = TimeSpan.FromSeconds(args.Length > 3 ? double.Parse(args[3]) : 60);
int clients = args.Length > 4 ? int.Parse(args[4]) : what == "load" ? 32 : 16;
Console.WriteLine($"# {DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, {Environment.ProcessorCount} processors, "
    + $"{string.Join(' ', args[2..])}");
using ExpressionRecognizer library = ExpressionRecognizer.Load();
Bodies bodies = new(library, await File.ReadAllBytesAsync(picture));
return what switch
{
    "start" => await StartAsync(),
    "latency" => await LatencyAsync(),
    "throughput" => await ThroughputAsync(),
    "batches" => Batches(),
    "waits" => await WaitsAsync(),
    "load" => await new Load(program, bodies, time, clients).RunAsync(),
    _ => throw new ArgumentException($"there is no measurement '{what}'"),
};

// The time from the start of the process until it says that it is ready.
async Task<int> StartAsync()
{
    const int Starts = 9;
    var seconds = new List<double>();
    for (int i = 0; i < Starts; i++)
    {
        long began = Stopwatch.GetTimestamp();
        await using ServerProcess server = await ServerProcess.StartAsync(program);
        seconds.Add(Stopwatch.GetElapsedTime(began).TotalSeconds);
    }
    Console.WriteLine($"ready_seconds_median,{Median(seconds):F3}\nready_seconds_worst,{seconds.Max():F3}");
    return 0;
}

// The processors' time that the library takes for a face, by the faces that go through the model together, and for
// finding the faces of the photo. It does not depend on what else the machine does.
int Batches()
{
    Process own = Process.GetCurrentProcess();
    RgbImage crop = SkiaImageCodec.Instance.Decode(bodies.Crops[0], "crop");
    FoundFaces face = library.Find(crop, "crop", FaceSelection.None);
    Console.WriteLine("what,cpu_ms,wall_ms");
    foreach (int faces in new[] { 1, 2, 4, 8, 16, 32 })
    {
        FoundFaces[] batch = [.. Enumerable.Repeat(face, faces)];
        Measure($"model, {faces} together", faces, () => library.Recognize(batch));
    }
    Measure("decode photo", 1, () => SkiaImageCodec.Instance.Decode(bodies.Photo, "photo"));
    RgbImage photo = SkiaImageCodec.Instance.Decode(bodies.Photo, "photo");
    Measure("find faces of photo", 1, () => library.Find(photo, "photo", FaceSelection.All));
    Measure("cut crop", 1, () => library.Find(crop, "crop", FaceSelection.None));
    return 0;

    void Measure(string name, int parts, Action call)
    {
        List<double> cpu = [], wall = [];
        long began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < time / 10)
        {
            own.Refresh();
            (TimeSpan before, long at) = (own.TotalProcessorTime, Stopwatch.GetTimestamp());
            const int Calls = 8;
            for (int i = 0; i < Calls; i++)
                call();
            own.Refresh();
            cpu.Add((own.TotalProcessorTime - before).TotalMilliseconds / Calls / parts);
            wall.Add(Stopwatch.GetElapsedTime(at).TotalMilliseconds / Calls / parts);
        }
        Console.WriteLine($"{name},{Median(cpu[(cpu.Count / 3)..]):F2},{Median(wall[(wall.Count / 3)..]):F2}");
    }
}

// Requests a second, the processors' time and the faces of a batch, by the time that a batch waits.
async Task<int> WaitsAsync()
{
    double[] waits = [0, 1, 2, 5, 10, 20];
    Console.WriteLine("picture,clients,wait_ms,requests_per_s,cpu_ms,faces_a_batch");
    foreach ((string name, byte[] body, string query) in new[] { ("crop", bodies.Crops[0], "?faces=none"),
        ("photo", bodies.Photo, "?faces=all") })
        foreach (double wait in waits)
        {
            await using ServerProcess server = await ServerProcess.StartAsync(program, "--batch-wait", $"{wait}");
            await RateAsync(server, body, query, time / waits.Length / 4, clients);
            (TimeSpan cpu, long began) = (server.ProcessorTime, Stopwatch.GetTimestamp());
            (double faces, double batches) = (await server.MetricAsync("cliper_batch_faces_sum"),
                await server.MetricAsync("cliper_batch_faces_count"));
            double rate = await RateAsync(server, body, query, time / waits.Length / 4, clients);
            cpu = (server.ProcessorTime - cpu) / (rate * Stopwatch.GetElapsedTime(began).TotalSeconds);
            faces = await server.MetricAsync("cliper_batch_faces_sum") - faces;
            batches = await server.MetricAsync("cliper_batch_faces_count") - batches;
            Console.WriteLine($"{name},{clients},{wait},{rate:F1},{cpu.TotalMilliseconds:F2},{faces / batches:F1}");
        }
    return 0;
}

// The median time of one client, beside that of a call of the library on the same bytes. Both take turns, so that
// other work on the machine disturbs both alike.
async Task<int> LatencyAsync()
{
    await using ServerProcess server = await ServerProcess.StartAsync(program);
    Console.WriteLine("picture,direct_ms_p50,server_ms_p50,ratio");
    foreach ((string name, byte[] body, string query) in new[] { ("photo", bodies.Photo, "?faces=all"),
        ("crop", bodies.Crops[0], "?faces=none") })
    {
        List<double> direct = [], served = [];
        long began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < time / 2)
        {
            long at = Stopwatch.GetTimestamp();
            bodies.Answer(body, query);
            direct.Add(Stopwatch.GetElapsedTime(at).TotalMilliseconds);
            at = Stopwatch.GetTimestamp();
            (await server.PredictAsync(body, query)).Dispose();
            served.Add(Stopwatch.GetElapsedTime(at).TotalMilliseconds);
        }
        // The first third compiles the code that is run most.
        (double a, double b) = (Median(direct[(direct.Count / 3)..]), Median(served[(served.Count / 3)..]));
        Console.WriteLine($"{name},{a:F2},{b:F2},{b / a:F2}");
    }
    return 0;
}

// Requests a second of several clients, batched and one by one, and of one client alone, for which there is nothing to
// batch. Both servers live at once and take turns.
async Task<int> ThroughputAsync()
{
    const int Rounds = 6;
    await using ServerProcess batched = await ServerProcess.StartAsync(program);
    await using ServerProcess single = await ServerProcess.StartAsync(program, "--batch", "1");
    Console.WriteLine("picture,clients,batched_per_s,unbatched_per_s,ratio,one_client_per_s,ratio_to_one,"
        + "batched_cpu_ms,unbatched_cpu_ms");
    foreach ((string name, byte[] body, string query) in new[] { ("crop", bodies.Crops[0], "?faces=none"),
        ("photo", bodies.Photo, "?faces=all") })
    {
        TimeSpan turn = time / 6 / Rounds;
        await RateAsync(batched, body, query, turn, clients);
        await RateAsync(single, body, query, turn, clients);
        List<double> with = [], without = [], alone = [], cpuWith = [], cpuWithout = [];
        for (int round = 0; round < Rounds; round++)
        {
            await AddAsync(batched, with, cpuWith);
            await AddAsync(single, without, cpuWithout);
            alone.Add(await RateAsync(single, body, query, turn, 1));
        }
        Console.WriteLine($"{name},{clients},{Median(with):F1},{Median(without):F1},"
            + $"{Median(with) / Median(without):F2},{Median(alone):F1},{Median(with) / Median(alone):F2},"
            + $"{Median(cpuWith):F2},{Median(cpuWithout):F2}");

        async Task AddAsync(ServerProcess server, List<double> rates, List<double> cpu)
        {
            TimeSpan before = server.ProcessorTime;
            long began = Stopwatch.GetTimestamp();
            rates.Add(await RateAsync(server, body, query, turn, clients));
            cpu.Add((server.ProcessorTime - before).TotalMilliseconds / rates[^1]
                / Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
    }
    return 0;
}

async Task<double> RateAsync(ServerProcess server, byte[] body, string query, TimeSpan most, int asking)
{
    long began = Stopwatch.GetTimestamp();
    int answered = 0;
    await Task.WhenAll(Enumerable.Range(0, asking).Select(async _ =>
    {
        while (Stopwatch.GetElapsedTime(began) < most)
        {
            using HttpResponseMessage answer = await server.PredictAsync(body, query);
            answer.EnsureSuccessStatusCode();
            Interlocked.Increment(ref answered);
        }
    }));
    return answered / Stopwatch.GetElapsedTime(began).TotalSeconds;
}

static double Median(List<double> values)
{
    double[] sorted = [.. values.Order()];
    return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
}
