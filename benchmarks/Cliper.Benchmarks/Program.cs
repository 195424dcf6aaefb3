using System.CommandLine;
using Cliper.Benchmarks.Cases;
using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;

if (args is [TrainMemory.Command, .. string[] rest])
    return TrainMemory.Child(rest);
TorchNative.Prepare();

var quick = new Option<bool>("--quick") { Description = "fewer rounds: ends in under four minutes" };
var json = new Option<bool>("--json") { Description = "one JSON document on standard output instead of CSV" };
var output = new Option<FileInfo?>("--out") { Description = "also write the CSV to this file" };
var filter = new Option<string[]>("--filter")
{
    Description = "only rows whose name begins with this, such as matmul; may be repeated",
    AllowMultipleArgumentsPerToken = true,
};
var root = new RootCommand("Times Cliper.Gpu on the processor side by side with TorchSharp and ONNX Runtime.")
{
    quick, json, output, filter,
};
root.SetAction(parsed =>
{
    string command = $"./benchmarks/cpu-peers.sh {string.Join(' ', args)}".TrimEnd();
    var bench = new Bench(parsed.GetValue(filter) ?? [], parsed.GetValue(quick));
    Console.Error.WriteLine(Machine.Describe());
    foreach (Action<Bench> cases in new[]
        { MatMulCases.Run, AttentionCases.Run, ForwardCases.Run, TrainCases.Run, StageCases.Run, ResNetCases.Run,
            TrainMemory.Run })
    {
        cases(bench);
        Console.Error.WriteLine($"  [{bench.Elapsed.TotalSeconds:F0} s]");
    }
    Report report = bench.Report;
    Console.Error.WriteLine(
        $"samples: {bench.Contest.Samples.Kept} kept, {bench.Contest.Samples.Dropped} disturbed by other processes");
    foreach ((string name, double ratio) in report.Summary())
        Console.Error.WriteLine($"  {name}: {ratio:F2} (geometric mean)");
    if (parsed.GetValue(output) is { } file)
        File.WriteAllText(file.FullName, report.ToCsv());
    Console.Out.Write(parsed.GetValue(json) ? report.ToJson(Machine.Describe(), command) : report.ToCsv());
});
return root.Parse(args).Invoke();
