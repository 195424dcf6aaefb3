using System.CommandLine;
using Cliper.Model;
using Cliper.Model.Training;

namespace Cliper.Cli.Commands;

/// <summary>Where a run goes, and whether it goes on with an earlier one.</summary>
internal sealed class RunOptions
{
    private const string ConfigName = "config.json";

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

    /// <summary>All of them, to be added to a command.</summary>
    public IEnumerable<Option> All => [_out, _resume, _overwrite];

    /// <summary>The run that a command line means.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="options">Where its settings come from.</param>
    /// <exception cref="SettingsException">No folder or two of them, no run to resume, or wrong settings.</exception>
    public (TrainSettings Settings, string Folder, bool Resume, bool Overwrite) Resolve(ParseResult parsed, SettingsOptions options)
    {
        switch (parsed.GetValue(_out), parsed.GetValue(_resume))
        {
            case ({ } folder, null):
                return (options.Resolve(parsed), folder, false, parsed.GetValue(_overwrite));
            case (null, { } folder):
                string config = Path.Combine(folder, ConfigName);
                if (!File.Exists(config))
                    throw new SettingsException($"{folder}: holds no {ConfigName}: --resume takes the folder of a run that --out has made");
                return (options.Resolve(parsed, config), folder, true, false);
            default:
                throw new SettingsException("give either --out, the folder of a new run, or --resume, that of an interrupted one");
        }
    }
}
