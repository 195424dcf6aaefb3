using System.CommandLine;
using Cliper.Cli.Commands;
using Cliper.Model.Images;
using Cliper.Model.Runs;

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
        RootCommand root = Root(terminal, common, cancellation);
        if (Completion.IsAskedBy(args))
        {
            foreach (string suggestion in Completion.Answer(root, args))
                terminal.Out.WriteLine(suggestion);
            return ExitCode.Done;
        }
        bool trains = false;
        try
        {
            ParseResult parsed = root.Parse(args.Length == 0 ? ["--help"] : args);
            trains = parsed.CommandResult.Command is RunCommand;
            if (UsageErrors.Of(parsed) is { Count: > 0 } errors)
            {
                if (RankOptions.RankOf(parsed) > 0)
                    return ExitCode.Usage;
                foreach (string error in errors)
                    terminal.Say($"cliper-gpu: {error}");
                string command = $"cliper-gpu {Examples.NameOf(parsed.CommandResult.Command)}".TrimEnd();
                terminal.Say($"'{command} --help' lists what there is.");
                return ExitCode.Usage;
            }
            terminal.Json = parsed.GetValue(common.Json);
            terminal.Verbose = parsed.GetValue(common.Verbose);
            Provenance.CommandLine = string.Join(' ', args.Prepend("cliper-gpu").Select(NextStep.Quoted));
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
            terminal.SayOfRank($"cliper-gpu: {ExitCode.Message(failure, trains)}");
            if (terminal.Verbose)
                terminal.SayOfRank(failure.ToString());
            return ExitCode.Of(failure);
        }
    }

    /// <summary>The program with all its commands.</summary>
    internal static RootCommand Root(Terminal terminal, CommonOptions common, CancellationToken cancellation)
    {
        var root = new RootCommand(Description) { HelpName = "cliper-gpu" };
        foreach (Option option in common.All)
            root.Add(option);
        foreach (Command command in Commands(terminal, common, cancellation))
            root.Add(command);
        Examples.AddTo(root);
        Completion.AddTo(root);
        return root;
    }

    private static IEnumerable<Command> Commands(Terminal terminal, CommonOptions common,
        CancellationToken cancellation)
    {
        yield return new DemoCommand(terminal, common, cancellation);
        yield return new TrainCommand(terminal, common, cancellation);
        yield return new EvalCommand(terminal, common, cancellation);
        yield return new PredictCommand(terminal, common, cancellation);
        yield return new ExplainCommand(terminal, common, cancellation);
        yield return new ServeCommand(terminal, common, cancellation);
        yield return new EmbedCommand(terminal, common, cancellation);
        yield return new ExportCommand(terminal, common, cancellation);
        yield return new CompareCommand(terminal, common, cancellation);
        yield return new SweepCommand(terminal, common, cancellation);
        yield return new ReportCommand(terminal, common, cancellation);
        yield return new PretrainCommand(terminal, common, cancellation);
        yield return new RecipesCommand(terminal, common, cancellation);
        yield return new DataCommand(terminal, common, cancellation);
        yield return new WeightsCommand(terminal, common, cancellation);
        yield return new BenchCommand(terminal, common, cancellation);
        yield return new DoctorCommand(terminal, common, cancellation);
        yield return new KernelsCommand(terminal, common, cancellation);
        yield return new CompletionCommand(terminal, common, cancellation);
    }
}
