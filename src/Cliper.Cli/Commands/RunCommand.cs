using System.CommandLine;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>
/// A command that creates a run's folder, or resumes one: where it is, its settings, and a device for them.
/// </summary>
internal abstract class RunCommand : CliCommand
{
    private readonly Option<string?> _out = new("--out")
    {
        Description = "Folder of the run: config.json, metrics, checkpoints/ and report.html.",
        HelpName = "RUN",
    };

    private readonly Option<string?> _resume = new("--resume")
    {
        Description = "Goes on with the run in this folder, with its settings; options change them.",
        HelpName = "RUN",
    };

    private readonly Option<bool> _overwrite = new("--overwrite")
    {
        Description = "Writes over a run that is in the folder already.",
    };

    private readonly Option<bool> _print = new("--print-settings")
    {
        Description = "Prints every setting as JSON that --config reads back, and trains nothing.",
    };

    private readonly SettingsOptions _settings;

    protected RunCommand(string name, string description, bool stages, Terminal terminal, CommonOptions common,
        CancellationToken cancellation)
        : base(name, description, terminal, common, cancellation)
    {
        _settings = new SettingsOptions(stages);
        foreach (Option option in new Option[] { _out, _resume, _overwrite, _print }.Concat(_settings.All))
            Add(option);
    }

    /// <summary>The run that a command line means.</summary>
    /// <param name="Settings">Its settings, checked.</param>
    /// <param name="Folder">Where it is.</param>
    /// <param name="Resume">Whether it resumes the run in the folder.</param>
    /// <param name="Overwrite">Whether it takes the place of what is in the folder.</param>
    protected sealed record Request(TrainSettings Settings, string Folder, bool Resume, bool Overwrite);

    /// <summary>Does the run and writes its result.</summary>
    protected abstract void Run(Device device, Request request);

    /// <inheritdoc/>
    protected sealed override int Run(ParseResult parsed)
    {
        if (parsed.GetValue(_print))
        {
            string? resumed = parsed.GetValue(_resume) is { } run ? ConfigOf(run) : null;
            SettingsOutput.Write(Terminal, _settings.Preview(parsed, resumed));
            return ExitCode.Done;
        }
        Request request = Resolve(parsed);
        DateTime began = DateTime.UtcNow;
        using Device device = Common.OpenDevice(parsed);
        try
        {
            Run(device, request);
        }
        catch (OperationCanceledException)
        {
            NextStep.SayResume(Terminal, Name, request.Folder, began, request.Resume);
            throw;
        }
        return ExitCode.Done;
    }

    private Request Resolve(ParseResult parsed)
    {
        switch (parsed.GetValue(_out), parsed.GetValue(_resume))
        {
            case ({ } folder, null):
                if (_settings.FileOf(parsed) is { } file)
                    TrainingRun.CheckKept(folder, file, "--config");
                return new Request(_settings.Resolve(parsed), folder, false, parsed.GetValue(_overwrite));
            case (null, { } folder):
                return new Request(_settings.Resolve(parsed, ConfigOf(folder)), folder, true, false);
            default:
                throw new SettingsException(
                    "give either --out, the folder of a new run, or --resume, that of an interrupted one");
        }
    }

    private static string ConfigOf(string folder) => TrainingRun.FindConfig(folder) ?? throw new SettingsException(
        $"{folder}: holds no config.json: --resume takes the folder of a run that --out has made");
}
