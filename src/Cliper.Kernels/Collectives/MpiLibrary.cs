using System.Runtime.InteropServices;

namespace Cliper.Kernels.Collectives;

/// <summary>
/// The functions of an MPI library that are used here, by their addresses, and the constants of its binary interface.
/// There are three: Open MPI's handles are addresses of objects that the library exports; those of MPICH, Intel MPI,
/// MVAPICH and MS-MPI are integers of 32 bits; those of MPI 5's standard interface (libmpi_abi) are small numbers. A
/// handle that is an integer is passed as one of 64 bits, of which such a library reads the lower half.
/// </summary>
internal sealed unsafe class MpiLibrary
{
    // MPICH's and the standard's numbers: mpi.h of MPICH 4, and mpi.h of the MPI Forum's stubs for MPI 5.0.
    private const nint MpichWorld = 0x44000000, MpichByte = 0x4c00010d, MpichIgnore = 1;
    private const nint StandardWorld = 0x101, StandardByte = 0x247;
    private const int Serialized = 2, StandardSerialized = 2048;
    private const string StandardName = "libmpi_abi", OpenMpiWorld = "ompi_mpi_comm_world";

    private static readonly Dictionary<string, string[]> Files = new()
    {
        [OpenMpi] = OperatingSystem.IsMacOS() ? ["libmpi.40.dylib"] : ["libmpi.so.40"],
        [Mpich] = OperatingSystem.IsWindows() ? ["msmpi.dll"]
            : OperatingSystem.IsMacOS() ? ["libmpi.12.dylib", "libmpich.12.dylib"] : ["libmpich.so.12", "libmpi.so.12"],
        [Standard] = OperatingSystem.IsMacOS() ? ["libmpi_abi.0.dylib"] : ["libmpi_abi.so.0", "libmpi_abi.so"],
    };

    private MpiLibrary(string file, nint handle)
    {
        File = file;
        nint Function(string name) => NativeLibrary.TryGetExport(handle, name, out nint address) ? address
            : throw new CollectiveException(CollectiveFailure.Library,
                $"{file}: no MPI library of a kind that is known: it has no {name}");
        if (NativeLibrary.TryGetExport(handle, OpenMpiWorld, out nint world))
            (Family, World, Byte) = (OpenMpi, world, Function("ompi_mpi_byte"));
        else if (Path.GetFileName(file).StartsWith(StandardName, StringComparison.Ordinal))
            (Family, World, Byte) = (Standard, StandardWorld, StandardByte);
        else
            (Family, World, Byte, IgnoredStatus) = (Mpich, MpichWorld, MpichByte, MpichIgnore);
        RequiredThreads = Family == Standard ? StandardSerialized : Serialized;
        InitThread = (delegate* unmanaged<void*, void*, int, int*, int>)Function("MPI_Init_thread");
        Rank = (delegate* unmanaged<nint, int*, int>)Function("MPI_Comm_rank");
        Size = (delegate* unmanaged<nint, int*, int>)Function("MPI_Comm_size");
        Version = (delegate* unmanaged<byte*, int*, int>)Function("MPI_Get_library_version");
        GatherAll = (delegate* unmanaged<void*, int, nint, void*, int*, int*, nint, nint, nint*, int>)
            Function("MPI_Iallgatherv");
        ExchangeAll = (delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int>)
            Function("MPI_Ialltoall");
        Test = (delegate* unmanaged<nint*, int*, nint, int>)Function("MPI_Test");
        Abort = (delegate* unmanaged<nint, int, int>)Function("MPI_Abort");
        Finalize = (delegate* unmanaged<int>)Function("MPI_Finalize");
    }

    /// <summary>Name of Open MPI's interface.</summary>
    public const string OpenMpi = "openmpi";

    /// <summary>Name of the interface of MPICH and its kin.</summary>
    public const string Mpich = "mpich";

    /// <summary>Name of MPI 5's standard interface.</summary>
    public const string Standard = "abi";

    /// <summary>The names of all interfaces.</summary>
    public static IReadOnlyCollection<string> Families => Files.Keys;

    /// <summary>The library's file.</summary>
    public string File { get; }

    /// <summary>The binary interface, by name.</summary>
    public string Family { get; }

    /// <summary>MPI_COMM_WORLD.</summary>
    public nint World { get; }

    /// <summary>MPI_BYTE.</summary>
    public nint Byte { get; }

    /// <summary>MPI_STATUS_IGNORE.</summary>
    public nint IgnoredStatus { get; }

    /// <summary>MPI_THREAD_SERIALIZED.</summary>
    public int RequiredThreads { get; }

    /// <summary>MPI_Init_thread(argc, argv, required, provided).</summary>
    public delegate* unmanaged<void*, void*, int, int*, int> InitThread { get; }

    /// <summary>MPI_Comm_rank(comm, rank).</summary>
    public delegate* unmanaged<nint, int*, int> Rank { get; }

    /// <summary>MPI_Comm_size(comm, size).</summary>
    public delegate* unmanaged<nint, int*, int> Size { get; }

    /// <summary>MPI_Get_library_version(text, length).</summary>
    public delegate* unmanaged<byte*, int*, int> Version { get; }

    /// <summary>MPI_Iallgatherv(send, count, type, receive, counts, displacements, type, comm, request).</summary>
    public delegate* unmanaged<void*, int, nint, void*, int*, int*, nint, nint, nint*, int> GatherAll { get; }

    /// <summary>MPI_Ialltoall(send, count, type, receive, count, type, comm, request).</summary>
    public delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int> ExchangeAll { get; }

    /// <summary>MPI_Test(request, flag, status).</summary>
    public delegate* unmanaged<nint*, int*, nint, int> Test { get; }

    /// <summary>MPI_Abort(comm, code).</summary>
    public delegate* unmanaged<nint, int, int> Abort { get; }

    /// <summary>MPI_Finalize().</summary>
    public delegate* unmanaged<int> Finalize { get; }

    /// <summary>Loads a library.</summary>
    /// <param name="asked">Name of an interface, path of a file, or null for that of the launcher.</param>
    /// <param name="launcher">The launcher by name: the library must be its own.</param>
    /// <exception cref="CollectiveException">There is none.</exception>
    public static MpiLibrary Load(string? asked, string launcher)
    {
        string[] families = launcher switch
        {
            "Open MPI" => [OpenMpi, Standard],
            "PMI" => [Mpich, Standard],
            _ => [OpenMpi, Mpich, Standard],
        };
        IEnumerable<string> files = asked is null ? families.SelectMany(family => Files[family])
            : Files.TryGetValue(asked, out string[]? known) ? known : [asked];
        foreach (string file in files)
            if (NativeLibrary.TryLoad(file, out nint handle))
                return new MpiLibrary(file, handle);
        string wanted = asked ?? families[0];
        throw new CollectiveException(CollectiveFailure.Library, $"{string.Join(", ", files)}: no such library, and "
            + $"{launcher} has started several processes; {Package(wanted)}");
    }

    private static string Package(string family) => family switch
    {
        OpenMpi => "it comes with Open MPI (libopenmpi3 in Debian and Ubuntu, open-mpi in Homebrew)",
        Mpich => OperatingSystem.IsWindows() ? "it comes with Microsoft MPI"
            : "it comes with MPICH (libmpich12 in Debian and Ubuntu, mpich in Homebrew)",
        _ => $"name one of {string.Join(", ", Families)}, or the path of an MPI library",
    };
}
