namespace Cliper.Model.Tests;

/// <summary>Folders of the checkout, and files beside it that are too large for it.</summary>
internal static class SharedFiles
{
    /// <summary>The folder of the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>
    /// A file or folder of the "shared" folder beside the checkout; ends the test as ignored if it is not there.
    /// </summary>
    public static string OrIgnore(string name)
    {
        string path = Path.Combine(Root, "..", "shared", name);
        if (!Path.Exists(path))
            Assert.Ignore($"needs {Path.GetFullPath(path)}");
        return path;
    }

    private static string FindRoot()
    {
        // Asked for before any test runs, when cases are listed: there is no test's directory yet.
        string? folder = Path.GetDirectoryName(typeof(SharedFiles).Assembly.Location);
        while (folder is not null && !File.Exists(Path.Combine(folder, "Cliper.Gpu.sln")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new InvalidOperationException("the tests do not run within a checkout");
    }
}
