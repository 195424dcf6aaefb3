using System.Reflection;

namespace Cliper.Model.Runs;

/// <summary>Says which program made a result, and how it was called.</summary>
public static class Provenance
{
    /// <summary>The command line that result.json has: the process's own, unless a front end gives another.</summary>
    public static string CommandLine { get; set; } = Environment.CommandLine;

    /// <summary>Version of the program, such as "0.2.0+abc1234".</summary>
    public static string Version { get; } =
        typeof(Provenance).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? "";

    /// <summary>The commit that it was built from; null where the build did not know it.</summary>
    public static string? Commit => Version.IndexOf('+') is >= 0 and int at ? Version[(at + 1)..] : null;
}
