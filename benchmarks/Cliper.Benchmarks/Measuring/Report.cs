using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cliper.Benchmarks.Measuring;

/// <summary>One comparison: median milliseconds of each side, null where it does not apply.</summary>
internal sealed record Row(
    [property: JsonPropertyName("name")] string Name,
    [property: JsonPropertyName("threads")] int Threads,
    [property: JsonPropertyName("ours_ms")] double OursMs,
    [property: JsonPropertyName("ours_bf16_ms")] double? OursBf16Ms,
    [property: JsonPropertyName("torchsharp_ms")] double? TorchSharpMs,
    [property: JsonPropertyName("torchsharp_bf16_ms")] double? TorchSharpBf16Ms,
    [property: JsonPropertyName("onnxruntime_ms")] double? OnnxRuntimeMs);

/// <summary>Collects the rows; the person watching reads them on standard error as they come.</summary>
internal sealed class Report
{
    private readonly List<Row> _rows = [];
    private readonly Dictionary<string, double> _figures = [];

    /// <summary>Rows so far.</summary>
    public IReadOnlyList<Row> Rows => _rows;

    /// <summary>A row, and with <paramref name="gflop"/> the rate and share of peak it amounts to.</summary>
    public void Add(string name, int threads, Dictionary<Side, double> medians, double gflop = 0, double peak = 0)
    {
        double? Of(Side side) => medians.TryGetValue(side, out double value) ? Math.Round(value, 4) : null;
        var row = new Row(name, threads, Of(Side.Ours)!.Value, Of(Side.OursBf16), Of(Side.TorchSharp),
            Of(Side.TorchSharpBf16), Of(Side.OnnxRuntime));
        _rows.Add(row);
        string rate = gflop == 0 ? ""
            : $"{gflop / row.OursMs * 1e3,7:F1} GFLOP/s {gflop / row.OursMs * 1e3 / peak,4:P0} of peak";
        Console.Error.WriteLine(
            $"  {name,-36} {threads} threads | ours {row.OursMs,9:F3} | torch {row.TorchSharpMs,9:F3} "
            + $"({row.TorchSharpMs / row.OursMs,5:F2}x) | ort {row.OnnxRuntimeMs,9:F3} "
            + $"({row.OnnxRuntimeMs / row.OursMs,5:F2}x) | bf16: ours {row.OursBf16Ms,9:F3} "
            + $"({row.OursMs / row.OursBf16Ms,5:F2}x fp32) | torch {row.TorchSharpBf16Ms,9:F3} "
            + $"({row.TorchSharpBf16Ms / row.OursBf16Ms,5:F2}x) |{rate}");
    }

    /// <summary>A figure that is no comparison of times: a ceiling, bytes, a share.</summary>
    public void Figure(string name, double value)
    {
        _figures[name] = Math.Round(value, 4);
        Console.Error.WriteLine($"  {name}: {value:G5}");
    }

    /// <summary>
    /// How many times as long each peer takes, geometric means over the rows of each kind and thread count.
    /// </summary>
    public IReadOnlyDictionary<string, double> Summary()
    {
        var summary = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (IGrouping<string, Row> group in _rows.GroupBy(row =>
            $"{row.Name.Split(' ')[0]}, {row.Threads} threads"))
        {
            Mean("torchsharp / ours", row => row.TorchSharpMs / row.OursMs);
            Mean("onnxruntime / ours", row => row.OnnxRuntimeMs / row.OursMs);
            Mean("ours / ours bf16", row => row.OursMs / row.OursBf16Ms);
            Mean("torchsharp / ours bf16", row => row.TorchSharpMs / row.OursBf16Ms);
            Mean("torchsharp bf16 / ours bf16", row => row.TorchSharpBf16Ms / row.OursBf16Ms);
            Mean("onnxruntime / ours bf16", row => row.OnnxRuntimeMs / row.OursBf16Ms);

            void Mean(string what, Func<Row, double?> ratio)
            {
                double[] ratios = [.. group.Select(ratio).OfType<double>()];
                if (ratios.Length > 0)
                    summary[$"{group.Key}, {what}"] = Math.Round(Math.Exp(ratios.Average(Math.Log)), 4);
            }
        }
        return summary;
    }

    /// <summary>The rows as CSV.</summary>
    public string ToCsv()
    {
        static string Number(double? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "";
        IEnumerable<string> lines = _rows.Select(row =>
            $"{row.Name},{row.Threads},{Number(row.OursMs)},{Number(row.OursBf16Ms)},{Number(row.TorchSharpMs)},"
            + $"{Number(row.TorchSharpBf16Ms)},{Number(row.OnnxRuntimeMs)}");
        return string.Join('\n',
            ["name,threads,ours_ms,ours_bf16_ms,torchsharp_ms,torchsharp_bf16_ms,onnxruntime_ms", .. lines]) + "\n";
    }

    /// <summary>Everything as one JSON document.</summary>
    public string ToJson(string machine, string command) => JsonSerializer.Serialize(new
    {
        machine,
        command,
        date = DateTime.UtcNow.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) + " UTC",
        rows = _rows,
        summary = Summary(),
        figures = _figures,
    }, Indented) + "\n";

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };
}
