namespace Cliper.Server.Tests;

/// <summary>Files of the checkout that these tests were built from.</summary>
internal static class Checkout
{
    private static readonly string Root = Find();

    /// <summary>The path of a file.</summary>
    /// <param name="file">Its path below the folder with Cliper.Gpu.sln.</param>
    public static string PathOf(string file) => Path.Combine(Root, file);

    private static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Cliper.Gpu.sln")))
                return folder.FullName;
        throw new InvalidOperationException($"no Cliper.Gpu.sln above {AppContext.BaseDirectory}");
    }
}
