namespace Cliper.Cli.Tests;

/// <summary>Texts that are meant to stay as they are, in Snapshots/.</summary>
internal static class Snapshot
{
    private const string Update = "CLIPER_UPDATE_SNAPSHOTS";

    /// <summary>
    /// Compares <paramref name="text"/> with the recorded one, trailing blanks aside. With CLIPER_UPDATE_SNAPSHOTS=1 it
    /// is recorded anew instead: the change then shows in the diff.
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
        Assert.That(actual, Is.EqualTo(File.ReadAllText(path)), $"{name} has changed; {Update}=1 records it anew");
    }
}
