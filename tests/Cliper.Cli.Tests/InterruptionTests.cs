using System.Runtime.InteropServices;

namespace Cliper.Cli.Tests;

public sealed class InterruptionTests
{
    // .NET on Windows throws PlatformNotSupportedException for a signal that it has no name for, which ends the program
    // before its first line.
    [Test]
    public void OnWindowsOnlySignalsThatDotNetNamesAreRegistered() =>
        Assert.That(Interruption.IgnoredSignals(isWindows: true), Is.SubsetOf(Enum.GetValues<PosixSignal>()));

    [Test]
    public void ElsewhereNeitherTheLimitOfAFileSizeNorAClosedTerminalEndsTheProgram() =>
        Assert.That(Interruption.IgnoredSignals(isWindows: false),
            Is.EqualTo(new[] { (PosixSignal)25, PosixSignal.SIGHUP }), "SIGXFSZ is 25");

    [Test]
    public void TheWorkIsCanceledBeforeTheMessageIsWritten()
    {
        Interruption? asked = null;
        var terminal = new Watching(() => asked!.Token.IsCancellationRequested);
        using (asked = new Interruption(terminal))
            asked.Handle(new PosixSignalContext(PosixSignal.SIGINT));
        Assert.That(terminal.WasCanceled, Is.True);

        asked = new Interruption(terminal);
        asked.Dispose();
        Assert.That(() => asked.Handle(new PosixSignalContext(PosixSignal.SIGINT)), Throws.Nothing,
            "the work has ended");
    }

    private sealed class Watching(Func<bool> isCanceled) : StringWriter
    {
        public bool? WasCanceled { get; private set; }

        public override void WriteLine(string? value) => WasCanceled ??= isCanceled();
    }

    // Another place that registers a signal would have to choose by platform too.
    [Test]
    public void OnlyThisTypeRegistersSignals()
    {
        string[] files = [.. Directory.EnumerateFiles(Path.Combine(Checkout.Root, "src"), "*.cs",
            SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains("PosixSignalRegistration.Create", StringComparison.Ordinal))
            .Select(file => Path.GetFileName(file))];

        Assert.That(files, Is.EqualTo(new[] { "Interruption.cs" }));
    }
}
