using System.Runtime.InteropServices;

namespace Cliper.Cli;

/// <summary>
/// Ctrl-C and SIGTERM: the first asks the work to end in good order (a training run finishes its step and writes a
/// checkpoint), the second ends the program at once. A file that outgrows the user's limit is then an error of the
/// write, as a full disk is, and not the end of the program; and the work goes on when its terminal is closed.
/// </summary>
internal sealed class Interruption : IDisposable
{
    // SIGXFSZ has no name in .NET; Linux and macOS number it alike.
    private const PosixSignal FileTooLarge = (PosixSignal)25;

    // They are kept to the end of the process: a signal is handled by a thread of its own, which may come to it after
    // the write has failed and the work has ended, and a signal that nobody handles any more kills.
    private static readonly PosixSignalRegistration[] Ignored =
        [.. IgnoredSignals(OperatingSystem.IsWindows())
            .Select(signal => PosixSignalRegistration.Create(signal, context => context.Cancel = true))];

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly TextWriter _error;

    public Interruption(TextWriter error)
    {
        _error = error;
        _ = Ignored;
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
        ];
    }

    /// <summary>Canceled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>
    /// Signals that must not end the program. Windows has no limit of a file's size, ends a program whose console is
    /// closed in any case, and .NET refuses a signal there that it has no name for.
    /// </summary>
    internal static IReadOnlyList<PosixSignal> IgnoredSignals(bool isWindows) => isWindows ? []
        : [FileTooLarge, PosixSignal.SIGHUP];

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _source.Dispose();
    }

    /// <summary>Handles a signal, on a thread of its own.</summary>
    internal void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        if (_source.IsCancellationRequested)
            Environment.Exit(ExitCode.Interrupted);
        try
        {
            // A terminal that takes no more text holds the message up, and must not hold up the end.
            _source.Cancel();
            _error.WriteLine("cliper-gpu: interrupted; ending in good order (once more stops at once)");
        }
        catch (ObjectDisposedException)
        {
            // The work has ended between the signal and its handling: there is nothing to cancel any more.
        }
    }
}
