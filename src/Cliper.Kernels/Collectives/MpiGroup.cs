using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Cliper.Kernels.Collectives;

/// <summary>
/// Ranks that MPI connects, by messages between their main memories. Every call is one that does not block, and is
/// asked for its end with a time limit: a rank that was stopped or whose machine is gone is an error, not a hang.
/// </summary>
public sealed unsafe class MpiGroup : RankGroup
{
    private const int LongestVersion = 8192;

    private readonly MpiLibrary _library;
    private readonly TimeSpan _patience;

    private MpiGroup(MpiLibrary library, TimeSpan patience)
    {
        (_library, _patience) = (library, patience);
        int given, rank, size;
        Check(library.InitThread(null, null, library.RequiredThreads, &given), "MPI_Init_thread");
        Check(library.Rank(library.World, &rank), "MPI_Comm_rank");
        Check(library.Size(library.World, &size), "MPI_Comm_size");
        (Rank, Size) = (rank, size);
        Transport = VersionOf(library);
    }

    /// <inheritdoc/>
    public override int Rank { get; }

    /// <inheritdoc/>
    public override int Size { get; }

    /// <inheritdoc/>
    public override string Transport { get; }

    /// <summary>Joins the processes that a launcher has started.</summary>
    /// <param name="launched">This process's place.</param>
    /// <param name="library">The MPI library: openmpi, mpich, abi, a file's path; null for the launcher's own.</param>
    /// <param name="patience">How long a call may wait for the other ranks.</param>
    /// <exception cref="CollectiveException">There is no library, or it knows another number of processes than the
    /// launcher: it is not the launcher's own.</exception>
    public static MpiGroup Join(LaunchedRank launched, string? library, TimeSpan patience)
    {
        if (!launched.StartsMpi)
            throw new CollectiveException(CollectiveFailure.Library, $"{launched.Launcher} starts processes that only "
                + "NCCL connects, between cards; on processors use mpirun or srun");
        var group = new MpiGroup(MpiLibrary.Load(library, launched.Launcher), patience);
        if (group.Size != launched.Size || group.Rank != launched.Rank)
            throw new CollectiveException(CollectiveFailure.Library, $"{launched.Launcher} started rank "
                + $"{launched.Rank} of {launched.Size}, and {group._library.File} takes it for rank {group.Rank} of "
                + $"{group.Size}: the library is not the launcher's own");
        return group;
    }

    /// <inheritdoc/>
    public override void Gather(ReadOnlySpan<byte> own, Span<byte> all, ReadOnlySpan<int> counts)
    {
        int total = 0;
        Span<int> places = stackalloc int[Size];
        for (int rank = 0; rank < Size; rank++)
        {
            places[rank] = total;
            total = checked(total + counts[rank]);
        }
        if (own.Length != counts[Rank] || all.Length != total)
            throw new ArgumentException($"{own.Length} bytes of {counts[Rank]}, {all.Length} in all of {total}");
        nint request = 0;
        fixed (byte* sent = own, received = all)
        fixed (int* sizes = counts, at = places)
        {
            long began = Stopwatch.GetTimestamp();
            Check(_library.GatherAll(sent, own.Length, _library.Byte, received, sizes, at, _library.Byte,
                _library.World, &request), "MPI_Iallgatherv");
            Complete(&request, began, total);
        }
    }

    /// <inheritdoc/>
    public override void Exchange(ReadOnlySpan<byte> shards, Span<byte> received)
    {
        int shard = shards.Length / Size;
        if (shards.Length != received.Length || shard * Size != shards.Length)
            throw new ArgumentException($"{shards.Length} and {received.Length} bytes for {Size} ranks");
        nint request = 0;
        fixed (byte* sent = shards, target = received)
        {
            long began = Stopwatch.GetTimestamp();
            Check(_library.ExchangeAll(sent, shard, _library.Byte, target, shard, _library.Byte, _library.World,
                &request), "MPI_Ialltoall");
            Complete(&request, began, received.Length);
        }
    }

    /// <inheritdoc/>
    public override void Abort(int exitCode) => _library.Abort(_library.World, exitCode);

    /// <inheritdoc/>
    public override void Dispose()
    {
        base.Dispose();
        _library.Finalize();
    }

    // A rank that has a core for itself learns of the end at once; one that shares it gives way.
    private void Complete(nint* request, long began, long bytes)
    {
        int done = 0;
        var waiting = new SpinWait();
        while (true)
        {
            Check(_library.Test(request, &done, _library.IgnoredStatus), "MPI_Test");
            if (done != 0)
                break;
            waiting.SpinOnce(sleep1Threshold: -1);
            if (Stopwatch.GetElapsedTime(began) > _patience)
                throw new CollectiveException(CollectiveFailure.Lost, $"the other ranks have not answered for "
                    + $"{_patience.TotalSeconds:0} s: one was stopped, or its machine or network is gone");
        }
        Costs = new CollectiveCosts(Costs.Calls + 1, Costs.Bytes + bytes, Costs.Time + Stopwatch.GetElapsedTime(began));
    }

    private static void Check(int result, string call)
    {
        if (result != 0)
            throw new CollectiveException(CollectiveFailure.Lost, $"{call} failed with error {result}: a rank is gone");
    }

    private static string VersionOf(MpiLibrary library)
    {
        var text = new byte[LongestVersion];
        int length = 0;
        fixed (byte* target = text)
            Check(library.Version(target, &length), "MPI_Get_library_version");
        string first = Encoding.UTF8.GetString(text, 0, Math.Clamp(length, 0, text.Length)).TrimEnd('\0');
        return first.Split('\n', ',')[0].Trim();
    }
}
