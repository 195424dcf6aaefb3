using System.CommandLine;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>Prints every setting of a recipe, as `train --print-settings` does.</summary>
internal sealed class RecipesShowCommand : CliCommand
{
    private readonly Argument<string> _recipe = new("RECIPE") { Description = "Name of the recipe." };

    public RecipesShowCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("show", "Every setting of a recipe as JSON, which --config reads, and what of the paper is not known.",
            terminal, common, cancellation)
    {
        _recipe.AcceptOnlyFromAmong([.. Recipes.Names]);
        Add(_recipe);
    }

    protected override int Run(ParseResult parsed)
    {
        SettingsOutput.Write(Terminal, Recipes.Get(parsed.GetValue(_recipe)!));
        return ExitCode.Done;
    }
}
