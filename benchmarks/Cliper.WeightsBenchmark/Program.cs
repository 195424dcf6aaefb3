using System.Diagnostics;
using System.Globalization;
using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

// Time and memory from a file of weights to a model that is ready; see ../README.md.
//   make FOLDER    writes ViT-B/16 files of random numbers in several forms
//   load FILE      loads one in this process and prints milliseconds and megabytes
//   FOLDER         loads each file several times, in processes of their own, and prints the medians as CSV
const int Repeats = 7;
(string Name, ClipNaming Naming, TensorType Type)[] forms =
[
    ("openai-f32", ClipNaming.OpenAI, TensorType.F32), ("openai-f16", ClipNaming.OpenAI, TensorType.F16),
    ("huggingface-f32", ClipNaming.HuggingFace, TensorType.F32), ("huggingface-bf16", ClipNaming.HuggingFace,
    TensorType.BF16),
];
switch (args)
{
    case ["make", string folder]:
        Make(folder);
        return 0;
    case ["load", string file]:
        Load(file);
        return 0;
    case [string folder]:
        Measure(folder);
        return 0;
    default:
        Console.Error.WriteLine("usage: make FOLDER | load FILE | FOLDER");
        return 2;
}

void Make(string folder)
{
    using ClipWeights weights = ClipWeights.Random(new ClipConfig
    {
        ImageSize = 224,
        PatchSize = 16,
        VisionWidth = 768,
        VisionLayers = 12,
        VisionHeads = 12,
        TextWidth = 512,
        TextLayers = 12,
        TextHeads = 8,
        VocabularySize = 49408,
        EmbedSize = 512,
    }, seed: 1);
    string first = Path.Combine(folder, forms[0].Name + ".safetensors");
    if (!File.Exists(first))
        weights.Save(first, forms[0].Naming, forms[0].Type);
    // Drawn once; the others are converted.
    foreach ((string name, ClipNaming naming, TensorType type) in forms[1..])
        if (Path.Combine(folder, name + ".safetensors") is var path && !File.Exists(path))
            WeightsConversion.Convert(first, path, naming, type, prefix: null);
}

void Load(string file)
{
    long start = Stopwatch.GetTimestamp();
    using var device = new CpuDevice();
    using ClipWeights weights = ClipWeights.Load(file);
    using var clip = new ClipModel(device, weights);
    double ready = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    // The peak is as the kernel counts resident pages, those of the file included.
    string peak = File.ReadLines("/proc/self/status").First(line =>
        line.StartsWith("VmHWM:", StringComparison.Ordinal));
    double megabytes = double.Parse(peak.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) * 1024 / 1e6;
    double model = weights.Names.Sum(name => (double)weights.ShapeOf(name).Count) * sizeof(float) / 1e6;
    start = Stopwatch.GetTimestamp();
    using var tape = new Tape(device, recording: false);
    using var picture = Tensor.From(device, new float[3 * 224 * 224], new Shape(1, 3, 224, 224));
    clip.Vision.Forward(tape, picture);
    double forward = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    Console.WriteLine(FormattableString.Invariant($"{ready:F0} {megabytes:F0} {model:F0} {forward:F0}"));
}

void Measure(string folder)
{
    Console.WriteLine("file,file_mb,model_mb,ready_ms,process_ms,peak_mb,peak_to_model,first_picture_ms");
    foreach (string path in forms.Select(form => Path.Combine(folder, form.Name + ".safetensors")))
    {
        // The first run warms the page cache and does not count.
        List<double[]> runs = [.. Enumerable.Range(0, Repeats + 1).Select(_ => Start(path)).Skip(1)];
        double Median(int column) => runs.Select(run => run[column]).Order().ElementAt(Repeats / 2);
        Console.WriteLine(FormattableString.Invariant(
            $"{Path.GetFileNameWithoutExtension(path)},{new FileInfo(path).Length / 1e6:F0},{Median(2):F0},")
            + FormattableString.Invariant(
            $"{Median(0):F0},{Median(4):F0},{Median(1):F0},{Median(1) / Median(2):F2},{Median(3):F0}"));
    }
}

// The child's four numbers, and the whole process's milliseconds.
double[] Start(string path)
{
    long start = Stopwatch.GetTimestamp();
    using Process process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!,
        ["load", path]) { RedirectStandardOutput = true })!;
    string line = process.StandardOutput.ReadToEnd();
    process.WaitForExit();
    return [.. line.Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture)),
        Stopwatch.GetElapsedTime(start).TotalMilliseconds];
}
