using System.Text;
using System.Text.Json;
using Cliper.Model.Checkpoints;
using Cliper.Model.IO;
using Cliper.Model.Metrics;
using Cliper.Model.Reporting;

namespace Cliper.Model.Runs;

/// <summary>
/// The folder of a training run: config.json, metrics.jsonl, metrics.csv, TensorBoard events, checkpoints/ and
/// report.html. Metrics are on the disk as soon as they are logged; the other files are there whole or not at all. Not
/// thread-safe.
/// </summary>
/// <remarks>
/// A run begins in three steps, so that a program that is killed at any moment leaves the old run whole or the new one
/// begun, and never files of both. (1) The new settings are written as config.next.json: from then on the old run is
/// gone, whatever of it is still there, for whoever looks for a model or resumes looks for this file first. (2) The old
/// run's files are removed. (3) config.next.json is renamed to config.json. A program that resumes a folder with
/// config.next.json does (2) and (3) again and begins with its settings.
/// </remarks>
internal sealed partial class RunFolder : IDisposable
{
    private const string ConfigName = "config.json", MetricsName = "metrics.jsonl", CsvName = "metrics.csv";

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
        Named(path, () =>
        {
            if (!Directory.Exists(CheckpointsPath))
                FolderChanges.Announce(CheckpointsPath);
            Directory.CreateDirectory(CheckpointsPath);
        });
        AtomicFile.Write(MetricsPath, stream => WriteLines(stream, kept.Select(row => row.ToJson())));
        AtomicFile.Write(CsvPath, stream =>
            WriteLines(stream, [MetricRow.CsvHeader, .. kept.Select(row => row.ToCsv())]));
        try
        {
            _json = new StreamWriter(MetricsPath, append: true, Utf8) { NewLine = "\n", AutoFlush = true };
            _csv = new StreamWriter(CsvPath, append: true, Utf8) { NewLine = "\n", AutoFlush = true };
            string events = System.IO.Path.Combine(path, EventFileWriter.FileName(now));
            FolderChanges.Announce(events);
            _events = new EventFileWriter(new FileStream(events, FileMode.Create, FileAccess.Write, FileShare.Read),
                now);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _csv?.Dispose();
            _json?.Dispose();
            throw Named(path, failure);
        }
    }

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>config.json: the resolved settings.</summary>
    public string ConfigPath => In(ConfigName);

    /// <summary>metrics.jsonl: one <see cref="MetricRow"/> a line.</summary>
    public string MetricsPath => In(MetricsName);

    /// <summary>metrics.csv: the same as a table.</summary>
    public string CsvPath => In(CsvName);

    /// <summary>report.html.</summary>
    public string ReportPath => In("report.html");

    /// <summary>checkpoints/.</summary>
    public string CheckpointsPath => In(CheckpointFiles.FolderName);

    /// <summary>Begins a run, in the place of one that is there; the type's remarks say how.</summary>
    /// <param name="path">The folder; made when missing.</param>
    /// <param name="config">The settings, for config.json.</param>
    /// <param name="clock">Tells the events' time; null for the system's.</param>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public static RunFolder Begin(string path, string config, TimeProvider? clock = null)
    {
        Announce(path, config);
        var run = new RunFolder(path, [], clock);
        try
        {
            Complete(path);
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    /// <summary>Begins the run over all folds whose folders are in a folder: it has settings alone.</summary>
    /// <inheritdoc cref="Begin"/>
    public static void BeginFolds(string path, string config)
    {
        Announce(path, config);
        Complete(path);
    }

    private static void Announce(string path, string config)
    {
        AtomicFile.Write(CheckpointFiles.BeginningPath(path), stream => stream.Write(Utf8.GetBytes(config)));
        Named(path, () => Clear(path));
    }

    private static void Complete(string path)
    {
        string config = System.IO.Path.Combine(path, ConfigName);
        FolderChanges.Announce(config);
        File.Move(CheckpointFiles.BeginningPath(path), config, overwrite: true);
        UnixFile.FlushFolder(path);
    }

    /// <summary>Goes on with a run.</summary>
    /// <param name="path">Its folder.</param>
    /// <param name="config">The settings, for config.json.</param>
    /// <param name="keep">Which rows still hold: those up to the checkpoint from which the run goes on; null for
    /// all.</param>
    /// <param name="clock">Tells the events' time; null for the system's.</param>
    /// <exception cref="InputException">There is no run, or its metrics cannot be read.</exception>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public static RunFolder Resume(string path, string config, Func<MetricRow, bool>? keep = null,
        TimeProvider? clock = null)
    {
        string metrics = System.IO.Path.Combine(path, MetricsName);
        if (!File.Exists(metrics))
            throw new InputException($"{path}: holds no run to go on with: there is no {MetricsName}");
        MetricRow[] rows = [.. ReadMetrics(metrics).Where(row => keep?.Invoke(row) != false)];
        AtomicFile.Write(System.IO.Path.Combine(path, ConfigName), stream => stream.Write(Utf8.GetBytes(config)));
        var run = new RunFolder(path, rows, clock);
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
            // The run may still have it open for writing, which Windows allows only to who shares it so.
            using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read,
                FileShare.ReadWrite | FileShare.Delete), Utf8);
            lines = reader.ReadToEnd().Split('\n');
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

    /// <summary>Adds a row to metrics.jsonl, metrics.csv and the TensorBoard events (tags "stage/quantity").</summary>
    /// <exception cref="IOException">The disk is full, or the folder is gone.</exception>
    public void Log(MetricRow row)
    {
        try
        {
            FolderChanges.Announce(MetricsPath);
            _json.WriteLine(row.ToJson());
            FolderChanges.Announce(CsvPath);
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

    private static void Named(string path, Action change)
    {
        try
        {
            change();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Named(path, failure);
        }
    }

    private static IOException Named(string path, Exception failure) => new(
        $"{path}: cannot be written: {failure.Message.TrimEnd('.')}; choose a folder with room that you may write to",
        failure);

    private static void WriteLines(Stream stream, IEnumerable<string> lines)
    {
        foreach (string line in lines)
            stream.Write(Utf8.GetBytes(line + "\n"));
    }
}
