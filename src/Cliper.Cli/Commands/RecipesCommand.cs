using System.CommandLine;
using Cliper.Model.Settings;
using Spectre.Console;

namespace Cliper.Cli.Commands;

/// <summary>Lists the recipes, a line each.</summary>
internal sealed class RecipesCommand : CliCommand
{
    public RecipesCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("recipes", "The recipes of train and pretrain, a line each.", terminal, common, cancellation) =>
        Add(new RecipesShowCommand(terminal, common, cancellation));

    protected override int Run(ParseResult parsed)
    {
        if (Terminal.Json)
        {
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                foreach (string recipe in Recipes.Names)
                    json.WriteString(recipe, RecipeSummaries.Of(recipe));
                json.WriteEndObject();
            });
            return ExitCode.Done;
        }
        Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("recipe").AddColumn("summary");
        foreach (string recipe in Recipes.Names)
            table.AddRow(Markup.Escape(recipe), Markup.Escape(RecipeSummaries.Of(recipe)));
        Terminal.Human.Write(table);
        return ExitCode.Done;
    }
}
