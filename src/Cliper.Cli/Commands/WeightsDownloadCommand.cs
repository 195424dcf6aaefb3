using System.CommandLine;
using System.Diagnostics;
using Cliper.Model.Weights;
using Spectre.Console;

namespace Cliper.Cli.Commands;

/// <summary>Downloads a model from Hugging Face into the local cache.</summary>
internal sealed class WeightsDownloadCommand : CliCommand
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly Argument<string> _model = new("model")
    {
        Description = "As in openai/clip-vit-base-patch16.",
        HelpName = "MODEL",
    };

    private readonly Option<string> _revision = new("--revision")
    {
        Description = "Branch, tag or commit.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "main",
    };

    private readonly Option<string?> _cache = new("--cache")
    {
        Description = "The cache's folder; without it HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub.",
        HelpName = "FOLDER",
    };

    public WeightsDownloadCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("download",
            "A model's weights, configuration and tokenizer from Hugging Face into its local cache, checked by their "
            + "checksums; goes on where it was interrupted.",
            terminal, common, cancellation)
    {
        Add(_model);
        Add(_revision);
        Add(_cache);
    }

    protected override int Run(ParseResult parsed)
    {
        string? cache = parsed.GetValue(_cache);
        using var download = new WeightsDownload(cache: cache);
        string model = parsed.GetValue(_model)!, revision = parsed.GetValue(_revision)!;
        DownloadResult result = Terminal.Live
            ? Terminal.Progress.Progress().AutoClear(true)
                .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(),
                new DownloadedColumn(),
                    new TransferSpeedColumn(), new RemainingTimeColumn())
                .Start(context => download.Run(model, revision, new Bar(context.AddTask(Markup.Escape(model))),
                    Cancellation))
            : download.Run(model, revision, new Lines(Terminal), Cancellation);
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("model", model);
                json.WriteString("folder", result.Folder);
                json.WriteString("commit", result.Commit);
                json.WriteNumber("fetched", result.Fetched);
                json.WriteStartArray("files");
                foreach (string file in result.Files)
                    json.WriteStringValue(file);
                json.WriteEndArray();
                json.WriteEndObject();
            });
        else
            Terminal.Out.WriteLine(
                $"{result.Folder}: {result.Files.Count} files, {Format.Bytes(result.Fetched)} fetched; "
                + $"--weights {(cache is null ? model : result.Folder)} finds them");
        return ExitCode.Done;
    }

    private sealed class Bar(ProgressTask task) : IProgress<DownloadProgress>
    {
        public void Report(DownloadProgress value)
        {
            task.MaxValue = value.Total;
            task.Value = value.Done;
            task.Description = Markup.Escape(value.File);
        }
    }

    private sealed class Lines(Terminal terminal) : IProgress<DownloadProgress>
    {
        private long _last;

        public void Report(DownloadProgress value)
        {
            if (_last != 0 && Stopwatch.GetElapsedTime(_last) < Interval)
                return;
            _last = Stopwatch.GetTimestamp();
            terminal.Say($"{value.File}: {Format.Bytes(value.Done)} of {Format.Bytes(value.Total)}");
        }
    }
}
