using System.CommandLine;
using Cliper.Cli.Commands;
using Cliper.Model.Images;

namespace Cliper.Cli;

/// <summary>
/// The commands put together: parses, runs one, and turns whatever went wrong into one line and an exit code.
/// </summary>
internal static class Application
{
    private const string Description = $"""
        Facial expression recognition with CLIPER on CLIP, in C# from the pixels to the gradients.

        {ExitCode.Help}
        """;

    /// <summary>Runs the program.</summary>
    /// <param name="args">Arguments of the command line.</param>
    /// <param name="terminal">Receives the output.</param>
    /// <param name="cancellation">Asks a running command to end in good order.</param>
    /// <returns>The exit code.</returns>
    public static int Run(string[] args, Terminal terminal, CancellationToken cancellation)
    {
        var common = new CommonOptions(terminal);
        var root = new RootCommand(Description) { HelpName = "cliper-gpu" };
        foreach (Option option in common.All)
            root.Add(option);
        foreach (Command command in Commands(terminal, common, cancellation))
            root.Add(command);

        try
        {
            ParseResult parsed = root.Parse(args);
            if (UsageErrors.Of(parsed) is { Count: > 0 } errors)
            {
                foreach (string error in errors)
                    terminal.Say($"cliper-gpu: {error}");
                terminal.Say($"'{CommandPath(parsed)} --help' lists what there is.");
                return ExitCode.Usage;
            }
            terminal.Json = parsed.GetValue(common.Json);
            terminal.Verbose = parsed.GetValue(common.Verbose);
            PixelBudget.Limit = common.MemoryOf(parsed) ?? PixelBudget.UsualLimit;
            return parsed.Invoke(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
                Output = terminal.Out,
                Error = terminal.Error,
            });
        }
        catch (Exception wrapped)
        {
            Exception failure = ExitCode.Unwrap(wrapped);
            terminal.Say($"cliper-gpu: {ExitCode.Message(failure)}");
            if (terminal.Verbose)
                terminal.Say(failure.ToString());
            return ExitCode.Of(failure);
        }
    }

    private static IEnumerable<Command> Commands(Terminal terminal, CommonOptions common,
        CancellationToken cancellation)
    {
        yield return new DemoCommand(terminal, common, cancellation);
        yield return new TrainCommand(terminal, common, cancellation);
        yield return new EvalCommand(terminal, common, cancellation);
        yield return new PredictCommand(terminal, common, cancellation);
        yield return new EmbedCommand(terminal, common, cancellation);
        yield return new PretrainCommand(terminal, common, cancellation);
        yield return new DataCommand(terminal, common, cancellation);
        yield return new WeightsCommand(terminal, common, cancellation);
        yield return new BenchCommand(terminal, common, cancellation);
        yield return new DoctorCommand(terminal, common, cancellation);
        yield return new KernelsCommand(terminal, common, cancellation);
    }

    private static string CommandPath(ParseResult parsed) =>
        string.Join(' ', Chain(parsed.CommandResult.Command).Reverse()
        .Select(command => command is RootCommand ? "cliper-gpu" : command.Name));

    /// <summary>A command and those it stands under.</summary>
    private static IEnumerable<Command> Chain(Command command) =>
        command.Parents.OfType<Command>().SelectMany(Chain).Prepend(command);
}
