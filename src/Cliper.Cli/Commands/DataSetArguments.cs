using System.CommandLine;
using Cliper.Model;
using Cliper.Model.DataSets;

namespace Cliper.Cli.Commands;

/// <summary>Which data set is meant, and how it is read.</summary>
internal sealed class DataSetArguments
{
    private readonly Argument<string> _name = new("DATASET")
    {
        Description = $"Layout of the data: {string.Join(", ", DataSetRegistry.Names)}.",
    };

    private readonly Argument<string> _path = new("DIR") { Description = "Folder or file of the data set." };

    private readonly Option<int> _fold = new("--fold")
    {
        Description = "Which of the authors' folds is the test split, from 1 (DFEW, MAFW).",
        HelpName = "N",
        DefaultValueFactory = _ => 1,
    };

    private readonly ChoiceOption _choices = new();

    /// <summary>All of them, added to <paramref name="command"/>.</summary>
    public void AddTo(Command command)
    {
        command.Add(_name);
        command.Add(_path);
        command.Add(_fold);
        command.Add(_choices);
    }

    /// <summary>The data set that a command line names, and how to read it.</summary>
    /// <exception cref="SettingsException">An unknown layout or choice.</exception>
    public (string Name, string Path, DataSetOptions Options) Resolve(ParseResult parsed)
    {
        string name = parsed.GetValue(_name)!, path = parsed.GetValue(_path)!;
        if (!DataSetRegistry.Names.Contains(name))
            throw new SettingsException(
                $"there is no data set format '{name}'; known are {string.Join(", ", DataSetRegistry.Names)}"
                + Suggestion.Hint(name, DataSetRegistry.Names));
        return (name, path, _choices.Over(parsed, new DataChoices())
            .Over(new DataSetOptions { Fold = parsed.GetValue(_fold) }));
    }
}
