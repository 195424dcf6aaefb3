using System.Diagnostics;
using System.Globalization;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using SkiaSharp;

// Pictures a second of one core, by the processor time of the process; see ../README.md.
//   make FOLDER               writes JPEG files of two sizes, and small PNG files
//   FOLDER PYTHON SCRIPT      times all and prints the medians as CSV; PYTHON runs SCRIPT, Pillow's side
const int Rounds = 7, Pictures = 64;
(string Name, int Width, int Height)[] sizes = [("256x256", 256, 256), ("640x480", 640, 480)];
switch (args)
{
    case ["make", string folder]:
        foreach ((string name, int width, int height) in sizes)
            for (int index = 0; index < Pictures; index++)
                Write(Path.Combine(folder, name, index % 2 == 0 ? "a" : "b", $"{index}.jpg"),
                    Draw(index, width, height), ImageFormat.Jpeg);
        for (int index = 0; index < Pictures; index++)
            Write(Path.Combine(folder, "48x48", index % 2 == 0 ? "a" : "b", $"{index}.png"), Draw(index, 48, 48),
                ImageFormat.Png);
        return 0;
    case [string folder, string python, string script]:
        Measure(folder, python, script);
        return 0;
    default:
        Console.Error.WriteLine("usage: make FOLDER | FOLDER PYTHON SCRIPT");
        return 2;
}

void Measure(string folder, string python, string script)
{
    Console.WriteLine("what,pictures,input,ours_per_s,skiasharp_per_s,pillow_per_s");
    foreach ((string name, _, _) in sizes)
    {
        string pictures = Path.Combine(folder, name);
        string[] files = [.. Directory.EnumerateFiles(pictures, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)];
        using BatchLoader loader = Open(pictures, 224, CacheMode.None, Augmentation.None);
        Row("decode", name, 224, () => Epoch(loader), () => Skia(files, 224), () => Pillow(python, script, files));
    }
    foreach ((string name, int input, Augmentation augmentation) in new[]
        { ("256x256", 224, Augmentation.None), ("256x256", 224, Augmentation.Script), ("48x48", 48, Augmentation.None),
            ("48x48", 48, Augmentation.Light) })
    {
        using BatchLoader loader = Open(Path.Combine(folder, name), input, CacheMode.Disk, augmentation);
        loader.Prepare();
        Row($"cache-{augmentation.Name}", name, input, () => Epoch(loader), null, null);
    }

    BatchLoader Open(string pictures, int input, CacheMode cache, Augmentation augmentation) =>
        new(DataSetRegistry.Open(pictures, "folder", new DataSetOptions { TestFraction = 0 }).Train, new LoaderOptions
        {
            BatchSize = 32,
            ImageSize = input,
            Threads = 0,
            Prefetch = 1,
            Cache = cache,
            CacheFolder = Path.Combine(folder, "cache"),
            Augmentation = augmentation,
        });
}

// Contenders take turns; the first round warms up and does not count.
void Row(string what, string pictures, int input, params Func<double>?[] contenders)
{
    var seen = contenders.Select(_ => new List<double>()).ToArray();
    for (int round = 0; round <= Rounds; round++)
        for (int i = 0; i < contenders.Length; i++)
            if (contenders[i] is { } contender && contender() is var speed && round > 0)
                seen[i].Add(speed);
    Console.WriteLine($"{what},{pictures},{input}," + string.Join(',', seen.Select(speeds => speeds.Count == 0 ? ""
        : speeds.Order().ElementAt(speeds.Count / 2).ToString("F0", CultureInfo.InvariantCulture))));
}

double Epoch(BatchLoader loader) => Speed(() =>
{
    int count = 0;
    foreach (Batch batch in loader.Epoch(0))
    {
        using Batch current = batch;
        count += batch.Count;
    }
    return count;
});

// Decoded, and the shorter side made 224 by Skia's own cubic filter: what a program without this loader would write.
double Skia(string[] files, int input) => Speed(() =>
{
    foreach (string file in files)
    {
        using SKBitmap whole = SKBitmap.Decode(file);
        double scale = (double)input / Math.Min(whole.Width, whole.Height);
        using SKBitmap small = whole.Resize(new SKImageInfo((int)(whole.Width * scale), (int)(whole.Height * scale)),
            new SKSamplingOptions(SKCubicResampler.CatmullRom));
        using var square = new SKBitmap();
        small.ExtractSubset(square, SKRectI.Create((small.Width - input) / 2, (small.Height - input) / 2,
            input, input));
    }
    return files.Length;
});

// Repeats for a second of processor time.
double Speed(Func<int> work)
{
    int count = 0;
    TimeSpan before = Environment.CpuUsage.TotalTime, taken;
    do
    {
        count += work();
        taken = Environment.CpuUsage.TotalTime - before;
    }
    while (taken < TimeSpan.FromSeconds(1));
    return count / taken.TotalSeconds;
}

double Pillow(string python, string script, string[] files)
{
    using Process process =
        Process.Start(new ProcessStartInfo(python, [script, .. files]) { RedirectStandardOutput = true })!;
    string line = process.StandardOutput.ReadToEnd();
    process.WaitForExit();
    return double.Parse(line, CultureInfo.InvariantCulture);
}

// Smooth shapes under a little noise, as photographs of faces compress.
RgbImage Draw(int seed, int width, int height)
{
    var random = new Random(seed);
    double[] phase = [.. Enumerable.Range(0, 6).Select(_ => random.NextDouble() * 6)];
    var pixels = new byte[3 * width * height];
    for (int y = 0, at = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++, at++)
                pixels[at] = (byte)Math.Clamp(128 + 50 * Math.Sin(phase[c] + 9.0 * x / width) + 50
                    * Math.Cos(phase[c + 3] + 7.0 * y / height) + 8 * random.NextDouble(), 0, 255);
    return new RgbImage(width, height, pixels);
}

void Write(string path, RgbImage image, ImageFormat format)
{
    Directory.CreateDirectory(Path.GetDirectoryName(path)!);
    File.WriteAllBytes(path, SkiaImageCodec.Instance.Encode(image, format));
}
