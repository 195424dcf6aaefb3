using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;
using Cliper.Model;

namespace Cliper.Cli;

/// <summary>The exit codes, and the one line that the program prints when it fails.</summary>
internal static class ExitCode
{
    public const int Done = 0, Failed = 1, Usage = 2, Input = 3, Device = 4, Rank = 5, Interrupted = 130;

    /// <summary>The text about them that `--help` prints.</summary>
    public const string Help = """
        Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 3 data or weights missing or invalid, 4 no usable device,
        5 a rank failed or was lost, 130 interrupted (a training run has then written a checkpoint).
        """;

    /// <summary>The exit code of a failure.</summary>
    public static int Of(Exception failure) => failure switch
    {
        SettingsException => Usage,
        InputException => Input,
        DeviceException => Device,
        CollectiveException { Failure: CollectiveFailure.Environment } => Usage,
        CollectiveException => Rank,
        OperationCanceledException => Interrupted,
        _ => Failed,
    };

    /// <summary>The one line that a person reads, without the program's name.</summary>
    /// <param name="failure">The failure.</param>
    /// <param name="trains">Whether the command trains, so that its batches can be made smaller.</param>
    public static string Message(Exception failure, bool trains = false) => failure switch
    {
        OperationCanceledException => "interrupted",
        OutOfMemoryException => "out of memory" + (trains
            ? ": a smaller batch, or more accumulated micro-batches of a smaller one, needs less" : ""),
        SettingsException or InputException or DeviceException or DivergedException or CollectiveException
            or IOException or UnauthorizedAccessException => Remedies.Explain(failure, trains),
        _ => $"internal error: {failure.GetType().Name}: {failure.Message} (--verbose shows where)",
    };

    /// <summary>The failure behind wrappers such as those of parallel work.</summary>
    public static Exception Unwrap(Exception failure)
    {
        while (failure is AggregateException { InnerException: { } inner })
            failure = inner;
        return failure;
    }
}

