using System.Text;
using System.Text.Json;
using Cliper.Model.IO;
using Cliper.Model.Metrics;
using Cliper.Model.Reporting;

namespace Cliper.Model.Runs;

/// <summary>
/// The folder of a training run: config.json, metrics.jsonl, metrics.csv, TensorBoard events, checkpoints/ and
/// report.html. Metrics are on the disk as soon as they are logged; the other files are there whole or not at all. Not
/// thread-safe.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    private readonly StreamWriter _json;
    private readonly StreamWriter _csv;
    private readonly EventFileWriter _events;
    private readonly TimeProvider _clock;

    private RunFolder(string path, IReadOnlyList<MetricRow> kept, TimeProvider? clock)
    {
        _clock = clock ?? TimeProvider.System;
        Path = path;
        DateTimeOffset now = _clock.GetUtcNow();
        try
        {
            Directory.CreateDirectory(CheckpointsPath);
            AtomicFile.Write(MetricsPath, stream => WriteLines(stream, kept.Select(row => row.ToJson())));
            AtomicFile.Write(CsvPath, stream =>
                WriteLines(stream, [MetricRow.CsvHeader, .. kept.Select(row => row.ToCsv())]));
            _json = new StreamWriter(MetricsPath, append: true, Utf8) { NewLine = "\n", AutoFlush = true };
            _csv = new StreamWriter(CsvPath, append: true, Utf8) { NewLine = "\n", AutoFlush = true };
            string events = System.IO.Path.Combine(path, EventFileWriter.FileName(now));
            _events = new EventFileWriter(new FileStream(events, FileMode.Create, FileAccess.Write, FileShare.Read),
                now);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _csv?.Dispose();
            _json?.Dispose();
            throw new IOException(
                $"{path}: cannot be written: {failure.Message.TrimEnd('.')}; choose a folder with room that you may "
                    + "write to", failure);
        }
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>config.json: the resolved settings.</summary>
    public string ConfigPath => In("config.json");

    /// <summary>metrics.jsonl: one <see cref="MetricRow"/> a line.</summary>
    public string MetricsPath => In("metrics.jsonl");

    /// <summary>metrics.csv: the same as a table.</summary>
    public string CsvPath => In("metrics.csv");

    /// <summary>report.html.</summary>
    public string ReportPath => In("report.html");

    /// <summary>checkpoints/.</summary>
    public string CheckpointsPath => In("checkpoints");

    /// <summary>Begins a run.</summary>
    /// <param name="path">The folder; made when missing.</param>
    /// <param name="overwrite">Whether a run that is there already is written over.</param>
    /// <param name="clock">Tells the events' time; null for the system's.</param>
    /// <exception cref="SettingsException">The folder holds a run already.</exception>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public static RunFolder Create(string path, bool overwrite = false, TimeProvider? clock = null)
    {
        bool occupied = File.Exists(System.IO.Path.Combine(path, "config.json"))
            || File.Exists(System.IO.Path.Combine(path, "metrics.jsonl"));
        if (occupied && !overwrite)
            throw new SettingsException($"{path}: holds a run already; resume it, or choose another folder");
        foreach (string events in occupied ? Directory.GetFiles(path, "events.out.tfevents.*.cliper") : [])
            File.Delete(events);
        return new RunFolder(path, [], clock);
    }

    /// <summary>Goes on with a run.</summary>
    /// <param name="path">Its folder.</param>
    /// <param name="keep">Which rows still hold: those up to the checkpoint from which the run goes on; null for
    /// all.</param>
    /// <param name="clock">Tells the events' time; null for the system's.</param>
    /// <exception cref="InputException">There is no run, or its metrics cannot be read.</exception>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public static RunFolder Resume(string path, Func<MetricRow, bool>? keep = null, TimeProvider? clock = null)
    {
        string metrics = System.IO.Path.Combine(path, "metrics.jsonl");
        if (!File.Exists(metrics))
            throw new InputException($"{path}: holds no run to go on with: there is no metrics.jsonl");
        var run = new RunFolder(path, [.. ReadMetrics(metrics).Where(row => keep?.Invoke(row) != false)], clock);
        AtomicFile.RemoveLeftovers(run.Path);
        AtomicFile.RemoveLeftovers(run.CheckpointsPath);
        return run;
    }

    /// <summary>Reads metrics.jsonl. A last line that is cut off, as a crash leaves it, is dropped.</summary>
    /// <exception cref="InputException">The file cannot be read, or a line is damaged.</exception>
    public static IReadOnlyList<MetricRow> ReadMetrics(string file)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllText(file).Split('\n');
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{file}: cannot be read ({failure.Message})", failure);
        }
        var rows = new List<MetricRow>(lines.Length);
        for (int line = 0; line < lines.Length - 1; line++) // what follows the last line feed is empty or cut off
        {
            try
            {
                rows.Add(MetricRow.FromJson(lines[line]));
            }
            catch (JsonException failure)
            {
                throw new InputException($"{file}, line {line + 1}: not a row of metrics "
                    + $"({JsonInput.Reason(failure)}); remove the line", failure);
            }
        }
        return rows;
    }

    /// <summary>Writes config.json.</summary>
    /// <param name="json">Its text.</param>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public void WriteConfig(string json) => AtomicFile.Write(ConfigPath, stream => stream.Write(Utf8.GetBytes(json)));

    /// <summary>Adds a row to metrics.jsonl, metrics.csv and the TensorBoard events (tags "stage/quantity").</summary>
    /// <exception cref="IOException">The disk is full, or the folder is gone.</exception>
    public void Log(MetricRow row)
    {
        try
        {
            _json.WriteLine(row.ToJson());
            _csv.WriteLine(row.ToCsv());
            // Means over an epoch would overwrite the step of the same number: they get tags of their own.
            string prefix = row.Event == MetricRow.StepEvent ? row.Stage.Name() : $"{row.Stage.Name()}/{row.Event}";
            _events.Scalars(row.Step, _clock.GetUtcNow(), MetricRow.Quantities
                .Where(quantity => quantity.Value(row) != null)
                .Select(quantity => ($"{prefix}/{quantity.Name}", quantity.Value(row)!.Value)));
        }
        catch (IOException failure)
        {
            throw new IOException($"{Path}: metrics cannot be written: {failure.Message}", failure);
        }
    }

    /// <summary>Writes report.html.</summary>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public void WriteReport(ReportModel report)
    {
        byte[] html = Utf8.GetBytes(HtmlReport.Render(report));
        AtomicFile.Write(ReportPath, stream => stream.Write(html));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _events.Dispose();
        _csv.Dispose();
        _json.Dispose();
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);

    private static void WriteLines(Stream stream, IEnumerable<string> lines)
    {
        foreach (string line in lines)
            stream.Write(Utf8.GetBytes(line + "\n"));
    }
}
