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
