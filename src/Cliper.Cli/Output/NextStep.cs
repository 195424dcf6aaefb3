using Cliper.Model.Runs;

namespace Cliper.Cli;

/// <summary>Names the command that goes on from here, ready to be copied.</summary>
internal static class NextStep
{
    /// <summary>Says it on standard error, where it disturbs no result.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="words">The command's words after the program's name.</param>
    public static void Say(Terminal terminal, params string[] words) =>
        terminal.Say("go on with: cliper-gpu " + string.Join(' ', words.Select(Quoted)));

    /// <summary>
    /// Says how to resume a run that was interrupted. One that was interrupted while its data was read has left its
    /// folder as it was, and nothing is said.
    /// </summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="command">The command that resumes it.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="began">When the work began, UTC.</param>
    /// <param name="resumed">Whether it was resumed.</param>
    public static void SayResume(Terminal terminal, string command, string folder, DateTime began, bool resumed = false)
    {
        if (TrainingRun.FindConfig(folder) is { } config && (resumed || File.GetLastWriteTimeUtc(config) >= began))
            Say(terminal, command, "--resume", folder);
    }

    /// <summary>A word as a shell reads it back.</summary>
    internal static string Quoted(string word) =>
        word.All(letter => char.IsLetterOrDigit(letter) || "-_./:\\=+@,".Contains(letter, StringComparison.Ordinal))
            ? word : OperatingSystem.IsWindows() ? $"\"{word}\""
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
