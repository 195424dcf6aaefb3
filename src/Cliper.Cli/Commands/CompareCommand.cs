using System.CommandLine;
using Cliper.Model;
using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>Trains methods side by side and puts the results into one table: the paper's Tables I and II.</summary>
internal sealed class CompareCommand : TableCommand
{
    private const string Method = "--method", Shots = "--shots";

    private readonly Option<string?> _methods = new("--methods")
    {
        Description = $"Which of {string.Join(", ", TrainingMethods.Names)}; all without it.",
        HelpName = "NAME,NAME,…",
    };

    private readonly Option<string?> _shots = new(Shots)
    {
        Description = "Trains each method on so many training samples of each class, chosen by the seed; 0 for all.",
        HelpName = "N,N,…",
    };

    public CompareCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("compare", "Trains methods side by side, each a run, and puts them into one table beside the paper's.",
            terminal, common, cancellation)
    {
        AddOptions([_methods, _shots], Settings.All.Where(option => option.Name is not (Method or Shots)));
    }

    /// <inheritdoc/>
    protected override SweepPlan PlanOf(ParseResult parsed, IReadOnlyList<ulong>? seeds)
    {
        TrainingMethod[] methods = [.. (parsed.GetValue(_methods)?.Split(',') ?? TrainingMethods.Names)
            .Select(name => TrainingMethods.Parse(name.Trim()))];
        return SweepPlan.OfMethods(method => Settings.OfMethod(parsed, method), methods,
            parsed.GetValue(_shots) is { } given ? Numbers<int>(Shots, given) : [], seeds ?? []);
    }
}
