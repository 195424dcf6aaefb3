namespace Cliper.Cli.Tests;

/// <summary>Texts that are meant to stay as they are, in Snapshots/.</summary>
internal static class Snapshot
{
    private const string Update = "CLIPER_UPDATE_SNAPSHOTS";

    /// <summary>
    /// Compares <paramref name="text"/> with the recorded one, trailing blanks aside. With CLIPER_UPDATE_SNAPSHOTS=1 it
    /// is recorded again instead: the change then shows in the diff.
    /// </summary>
    public static void Matches(string name, string text)
    {
        string path = Path.Combine(Checkout.Root, "tests", "Cliper.Cli.Tests", "Snapshots", name);
        string actual = string.Join('\n', text.Split('\n').Select(line => line.TrimEnd())).TrimEnd() + "\n";
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }
        Assert.That(File.Exists(path), $"no {path}; {Update}=1 records it");
        string recorded = File.ReadAllText(path);
        Assert.That(actual, Is.EqualTo(recorded), () => $"{name} has changed; if that is meant, {Update}=1 records it "
            + $"again:\n{string.Join('\n', Changed(recorded.Split('\n'), actual.Split('\n')))}");
    }

    private static IEnumerable<string> Changed(string[] before, string[] after) =>
        before.Except(after).Select(line => $"- {line}").Concat(after.Except(before).Select(line => $"+ {line}"));
}
