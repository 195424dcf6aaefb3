namespace Cliper.Cli.Tests;

/// <summary>The checkout that these tests were built from.</summary>
internal static class Checkout
{
    /// <summary>The folder with Cliper.Gpu.sln.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Cliper.Gpu.sln")))
                return folder.FullName;
        throw new InvalidOperationException($"no Cliper.Gpu.sln above {AppContext.BaseDirectory}");
    }
}
