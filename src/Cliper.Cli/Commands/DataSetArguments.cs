using System.CommandLine;
using Cliper.Model;
using Cliper.Model.DataSets;

namespace Cliper.Cli.Commands;

/// <summary>Which data set is meant, and how it is read.</summary>
internal sealed class DataSetArguments
{
    private const string Recognized = "auto";

    private readonly Option<string?> _data = new("--data")
    {
        Description = "Folder or file of the data set.",
        HelpName = "PATH",
    };

    private readonly Option<string?> _dataSet = new("--dataset")
    {
        Description = $"Layout of the data: {string.Join(", ", DataSetRegistry.Names)}; without it, {Recognized}.",
        HelpName = "NAME",
    };

    // From before --data and --dataset.
    private readonly Argument<string?> _name = new("DATASET") { Arity = ArgumentArity.ZeroOrOne, Hidden = true };

    private readonly Argument<string?> _path = new("DIR") { Arity = ArgumentArity.ZeroOrOne, Hidden = true };

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
        command.Add(_data);
        command.Add(_dataSet);
        command.Add(_name);
        command.Add(_path);
        command.Add(_fold);
        command.Add(_choices);
    }

    /// <summary>The data set that a command line names, and how to read it.</summary>
    /// <exception cref="SettingsException">An unknown layout or choice.</exception>
    public (string Name, string Path, DataSetOptions Options) Resolve(ParseResult parsed)
    {
        string? path = Given(parsed, _data, _path);
        if (path is null)
            throw new SettingsException("give the folder or file of the data set with --data");
        string name = Given(parsed, _dataSet, _name) ?? Recognized;
        if (!DataSetRegistry.Names.Contains(name))
            throw new SettingsException(
                $"there is no data set format '{name}'; known are {string.Join(", ", DataSetRegistry.Names)}"
                + Suggestion.Hint(name, DataSetRegistry.Names));
        return (name, path, _choices.Over(parsed, new DataChoices())
            .Over(new DataSetOptions { Fold = parsed.GetValue(_fold) }));
    }

    private static string? Given(ParseResult parsed, Option<string?> option, Argument<string?> old) =>
        (parsed.GetValue(option), parsed.GetValue(old)) switch
        {
            (null, var value) => value,
            (var value, null) => value,
            _ => throw new SettingsException($"{option.Name} and {old.Name} exclude each other: give {option.Name}"),
        };
}
