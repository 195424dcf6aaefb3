using System.CommandLine;
using System.Globalization;
using Cliper.Cli.Commands;
using Cliper.Model;
using Cliper.Model.DataSets;
using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Cli;

/// <summary>
/// Suggests words that may come next on a command line. A shell's script (`completion bash`) asks for them with the
/// arguments "[suggest:POSITION]" and the line so far.
/// </summary>
internal static class Completion
{
    private const string Prefix = "[suggest:";

    private static readonly Dictionary<string, string[]> ValuesByOption = new()
    {
        ["--recipe"] = [.. Recipes.Names],
        ["--method"] = [.. TrainingMethods.Names],
        ["--methods"] = [.. TrainingMethods.Names],
        ["--preset"] = [.. SweepPlan.PresetNames],
        ["--dataset"] = [.. DataSetRegistry.Names, RunData.Drawn],
        ["--device"] = [.. CommonOptions.Devices],
        ["--model"] = [.. ShippedModels.All.Select(model => model.Name)],
        ["--map"] = [.. Explanation.Maps],
        ["--faces"] = ["all", "largest", "none"],
    };

    /// <summary>Gives the options whose values have names these names.</summary>
    public static void AddTo(Command command)
    {
        foreach (Option option in command.Options)
            if (ValuesByOption.TryGetValue(option.Name, out string[]? values) && option.CompletionSources.Count == 0)
                option.CompletionSources.Add(values);
        foreach (Command inner in command.Subcommands)
            AddTo(inner);
    }

    /// <summary>Whether arguments ask for suggestions instead of work.</summary>
    public static bool IsAskedBy(string[] args) => args.Length == 2
        && args[0].StartsWith(Prefix, StringComparison.Ordinal) && args[0].EndsWith(']');

    /// <summary>The words that may stand at the position; none for a question that makes no sense.</summary>
    /// <param name="root">The program.</param>
    /// <param name="args">The question: its position in characters, and the line with the program's name.</param>
    public static IEnumerable<string> Answer(Command root, string[] args)
    {
        string line = args[1];
        ReadOnlySpan<char> number = args[0].AsSpan(Prefix.Length, args[0].Length - Prefix.Length - 1);
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int position))
            return [];
        line = line[..Math.Min(position, line.Length)];
        int name = line.IndexOf(' ', StringComparison.Ordinal);
        string words = name < 0 ? "" : line[(name + 1)..];
        return root.Parse(words).GetCompletions(words.Length).Select(item => item.Label).Distinct();
    }
}
