using System.CommandLine;
using Cliper.Kernels.Collectives;
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

    private readonly Option<string?> _resumeIfThere = new("--resume-if-there")
    {
        Description = "Goes on with the run in this folder if there is one, and begins it there if not: for launchers "
            + "that start a program again.",
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

    private readonly RankOptions _ranks = new();
    private readonly SettingsOptions _settings;

    protected RunCommand(string name, string description, bool stages, Terminal terminal, CommonOptions common,
        CancellationToken cancellation)
        : base(name, description, terminal, common, cancellation)
    {
        _settings = new SettingsOptions(stages);
        foreach (Option option in new Option[] { _out, _resume, _resumeIfThere, _overwrite, _print }
            .Concat(_settings.All).Concat(_ranks.All))
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
        return _ranks.Run(parsed, Terminal, ranks => Train(parsed, ranks));
    }

    private int Train(ParseResult parsed, RankGroup ranks)
    {
        bool resumes = parsed.GetValue(_resume) is not null || parsed.GetValue(_resumeIfThere) is not null;
        string? asked = parsed.GetValue(_out) ?? parsed.GetValue(_resume) ?? parsed.GetValue(_resumeIfThere);
        using RankFolder? kept = asked is null ? null : RankFolder.Open(ranks, asked, resumes);
        Request request = Resolve(parsed, kept?.Path);
        DateTime began = DateTime.UtcNow;
        using Device device = Common.OpenDevice(parsed, RankOptions.ThreadsOf(ranks));
        RankOptions.CheckSame(ranks, device, SettingsJson.Write(request.Settings));
        device.Ranks = ranks;
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

    /// <param name="parsed">The command line.</param>
    /// <param name="kept">Where this rank keeps the run.</param>
    private Request Resolve(ParseResult parsed, string? kept)
    {
        string?[] given = [parsed.GetValue(_out), parsed.GetValue(_resume), parsed.GetValue(_resumeIfThere)];
        if (given.Count(folder => folder is not null) != 1)
            throw new SettingsException("give either --out, the folder of a new run, or --resume, that of an "
                + "interrupted one, or --resume-if-there, that of either");
        string folder = kept!;
        if (given[1] is not null || (given[2] is not null && TrainingRun.FindConfig(folder) is not null))
            return new Request(_settings.Resolve(parsed, ConfigOf(folder)), folder, true, false);
        if (_settings.FileOf(parsed) is { } file)
            TrainingRun.CheckKept(folder, file, "--config");
        return new Request(_settings.Resolve(parsed), folder, false, parsed.GetValue(_overwrite));
    }

    private static string ConfigOf(string folder) => TrainingRun.FindConfig(folder) ?? throw new SettingsException(
        $"{folder}: holds no config.json: --resume takes the folder of a run that --out has made");
}
