using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cliper.Model;
using Cliper.Model.Diagnostics;

namespace Cliper.Cli;

/// <summary>
/// A file of measured rows, one JSON object a line, each on disk as soon as it is measured: a run that is cut off loses
/// one row, and the next one measures what is missing. A line with a device's facts stands before the rows of that
/// device and precision. Bytes after the last line feed are the rest of a write that was cut off, and are dropped.
/// </summary>
internal sealed class RowsFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly List<BenchmarkRow> _known = [];
    private bool _isOfDevice;

    /// <summary>Opens or makes a file.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="device">Name of the device that is measured.</param>
    /// <param name="precision">How it stores activations.</param>
    /// <exception cref="InputException">A line is not one of this file's.</exception>
    /// <exception cref="IOException">The file cannot be read or written.</exception>
    public RowsFile(string path, string device, string precision)
    {
        _stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            var bytes = new byte[_stream.Length];
            _stream.ReadExactly(bytes);
            int end = Array.LastIndexOf(bytes, (byte)'\n') + 1;
            string[] lines = Encoding.UTF8.GetString(bytes, 0, end).Split('\n')[..^1];
            for (int line = 0; line < lines.Length; line++)
                try
                {
                    Take(lines[line], device, precision);
                }
                catch (Exception failure) when (failure is JsonException or KeyNotFoundException
                    or InvalidOperationException
                    or FormatException)
                {
                    throw new InputException(
                        $"{path}: line {line + 1} is no row of bench --rows, nor facts of a device: "
                        + "name another file, or delete this one", failure);
                }
            _stream.SetLength(end);
            _stream.Position = end;
        }
        catch
        {
            _stream.Dispose();
            throw;
        }
    }

    /// <summary>Rows of this device and precision that the file held when it was opened.</summary>
    public IReadOnlyList<BenchmarkRow> Known => _known;

    /// <summary>
    /// The rates of arithmetic (GFLOP/s) and of memory (GB/s) that the ratios of <see cref="Known"/> are to; null where
    /// none were measured.
    /// </summary>
    public (double Gflops, double Bandwidth)? Peaks { get; private set; }

    /// <summary>Writes a device's facts before the first of its rows.</summary>
    /// <param name="facts">Writes the properties.</param>
    public void Begin(Action<Utf8JsonWriter> facts)
    {
        if (!_isOfDevice)
            WriteLine(facts);
    }

    /// <summary>Adds a row and waits until it is on disk.</summary>
    public void Add(BenchmarkRow row) => WriteLine(json => WriteRow(json, row));

    /// <summary>A row's properties.</summary>
    public static void WriteRow(Utf8JsonWriter json, BenchmarkRow row)
    {
        json.WriteString("name", row.Name);
        json.WriteString("shape", row.Shape);
        json.WriteNumber("ms", Math.Round(row.Milliseconds, 5));
        if (row.Gflops is { } rate)
            json.WriteNumber("gflops", Math.Round(rate, 2));
        if (row.GigabytesPerSecond is { } moved)
            json.WriteNumber("gbPerSecond", Math.Round(moved, 2));
        json.WriteNumber("ratio", Math.Round(row.Ratio, 4));
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    private void Take(string line, string device, string precision)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement entry = document.RootElement;
        if (entry.TryGetProperty("device", out JsonElement name))
        {
            _isOfDevice = (name.GetString(), entry.GetProperty("precision").GetString()) == (device, precision);
            double gflops = entry.GetProperty("peakGflops").GetDouble();
            double bandwidth = entry.GetProperty("bandwidthGBs").GetDouble();
            // The time of the emulated device may be rounded to nothing.
            if (_isOfDevice && gflops > 0 && bandwidth > 0)
                Peaks = (gflops, bandwidth);
            return;
        }
        var row = new BenchmarkRow(entry.GetProperty("name").GetString()!, entry.GetProperty("shape").GetString()!,
            entry.GetProperty("ms").GetDouble(), Optional("gflops"), Optional("gbPerSecond"),
            entry.GetProperty("ratio").GetDouble());
        if (_isOfDevice)
            _known.Add(row);

        double? Optional(string property) =>
            entry.TryGetProperty(property, out JsonElement value) ? value.GetDouble() : null;
    }

    private void WriteLine(Action<Utf8JsonWriter> properties)
    {
        using var line = new MemoryStream();
        using (var json = new Utf8JsonWriter(line,
            new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            properties(json);
            json.WriteEndObject();
        }
        line.WriteByte((byte)'\n');
        // A single write is whole after a cut-off, or torn at its end.
        _stream.Write(line.GetBuffer(), 0, (int)line.Length);
        _stream.Flush(flushToDisk: true);
        _isOfDevice = true;
    }
}
