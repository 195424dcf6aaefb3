namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>
/// The PTX of kernels for a driver: read from the folder beside the program, else from the user's cache, else
/// compiled, which takes about a second of a CPU per kernel, and written to the user's cache. Where that cannot be
/// written to, each process compiles. Threads may ask at once.
/// </summary>
/// <param name="shipped">PTX that came with the program, only read; null for none.</param>
/// <param name="user">PTX that this user's processes compiled; null for none.</param>
/// <param name="compile">Compiles a kernel.</param>
internal sealed class PtxCache(PtxFolder? shipped, PtxFolder? user, Func<GpuKernel, string> compile)
{
    /// <summary>
    /// The environment variable that names a folder to use instead of the one in the user's cache, or is "off": every
    /// process compiles.
    /// </summary>
    public const string Variable = "CLIPER_PTX_CACHE";

    /// <summary>The folder beside the program.</summary>
    public const string ShippedFolder = "ptx";

    private const string Off = "off";

    private int _hasWritten;
    private volatile bool _cannotWrite;

    /// <summary>The cache of this process, as the environment was when it was first asked for.</summary>
    public static PtxCache Default { get; } = FromEnvironment();

    /// <summary>
    /// The user's folder: what <see cref="Variable"/> names, else cliper-gpu/ptx in the user's cache, which is
    /// XDG_CACHE_HOME or ~/.cache, on Windows the local application data. It is null where it is switched off or the
    /// user has no home.
    /// </summary>
    public static string? UserFolder => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named
        ? named == Off ? null : Path.GetFullPath(named)
        : UserCaches is { } caches ? Path.Combine(caches, "cliper-gpu", "ptx") : null;

    private static string? UserCaches
    {
        get
        {
            // A relative path is to be ignored, says the rule of XDG.
            if (Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { } named && Path.IsPathFullyQualified(named))
                return named;
            bool isWindows = OperatingSystem.IsWindows();
            string home = Environment.GetFolderPath(isWindows ? Environment.SpecialFolder.LocalApplicationData
                : Environment.SpecialFolder.UserProfile);
            return home.Length == 0 ? null : isWindows ? home : Path.Combine(home, ".cache");
        }
    }

    /// <summary>The cache that the environment asks for.</summary>
    public static PtxCache FromEnvironment()
    {
        string build = PtxFolder.ThisBuild, shipped = Path.Combine(AppContext.BaseDirectory, ShippedFolder);
        return new PtxCache(Environment.GetEnvironmentVariable(Variable) == Off ? null : new PtxFolder(shipped, build),
            UserFolder is { } folder ? new PtxFolder(folder, build) : null, kernel => kernel.Ptx);
    }

    /// <summary>The kernel's PTX.</summary>
    /// <exception cref="InvalidOperationException">The kernel does not compile.</exception>
    public string Get(GpuKernel kernel)
    {
        if (!PtxFolder.Covers(kernel))
            return compile(kernel);
        if ((shipped?.Read(kernel) ?? user?.Read(kernel)) is { } known)
            return known;
        string ptx = compile(kernel);
        Keep(kernel, ptx);
        return ptx;
    }

    private void Keep(GpuKernel kernel, string ptx)
    {
        if (user is null || _cannotWrite)
            return;
        try
        {
            user.Write(kernel, ptx);
        }
        catch (Exception failure) when (IsOfTheDisk(failure))
        {
            // A full disk or somebody else's folder is no reason to warn a user who only wants to train: it costs time.
            _cannotWrite = true;
            return;
        }
        try
        {
            if (Interlocked.Exchange(ref _hasWritten, 1) == 0)
                user.Prune();
        }
        catch (Exception failure) when (IsOfTheDisk(failure))
        {
            // Another process may be pruning at the same time. A later one finds what is left.
        }
    }

    // ArgumentOutOfRangeException is how .NET reports a file larger than `ulimit -f` allows.
    private static bool IsOfTheDisk(Exception failure) =>
        failure is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException;
}
