using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Cliper.Kernels.Collectives;

/// <summary>
/// The processes that train one model together, and what they tell each other. All of them make the same calls in the
/// same order; each call returns when every rank has made it. Not thread-safe.
/// </summary>
public abstract class RankGroup : IDisposable
{
    /// <summary>The group of a process that works alone: its calls return what they are given.</summary>
    public static RankGroup Alone { get; } = new Single();

    // A step sums as often as it has buckets: they share their memory.
    private float[] _sent = [], _received = [];

    /// <summary>Number of this process, from 0. Rank 0 alone prints and writes.</summary>
    public abstract int Rank { get; }

    /// <summary>Number of processes.</summary>
    public abstract int Size { get; }

    /// <summary>Whether this process prints and writes.</summary>
    public bool IsFirst => Rank == 0;

    /// <summary>The library that carries the messages, with its version.</summary>
    public abstract string Transport { get; }

    /// <summary>Calls made, bytes sent and received by this rank, and the time that they took, waiting
    /// included.</summary>
    public CollectiveCosts Costs { get; protected set; }

    /// <summary>Gathers the bytes of all ranks, in the order of the ranks.</summary>
    /// <param name="own">This rank's bytes.</param>
    /// <param name="all">Receives all, [the sum of <paramref name="counts"/>].</param>
    /// <param name="counts">Bytes of each rank, [Size].</param>
    public abstract void Gather(ReadOnlySpan<byte> own, Span<byte> all, ReadOnlySpan<int> counts);

    /// <summary>Sends to each rank its shard, and receives one from each.</summary>
    /// <param name="shards">This rank's shard for each rank, [Size, shard].</param>
    /// <param name="received">Receives each rank's shard for this one, [Size, shard].</param>
    public abstract void Exchange(ReadOnlySpan<byte> shards, Span<byte> received);

    /// <summary>Ends the other processes of the group; the caller then ends itself with the same exit code.</summary>
    public abstract void Abort(int exitCode);

    /// <summary>Gathers values of any size: first the sizes, then the bytes.</summary>
    /// <param name="own">This rank's values.</param>
    /// <param name="counts">Elements of each rank.</param>
    /// <returns>All values, in the order of the ranks.</returns>
    public T[] Gather<T>(ReadOnlySpan<T> own, out int[] counts) where T : unmanaged
    {
        counts = new int[Size];
        GatherEqual<int>([own.Length], counts);
        var all = new T[counts.Sum()];
        Gather(own, all, counts);
        return all;
    }

    /// <summary>Gathers values whose numbers are known.</summary>
    /// <param name="own">This rank's values.</param>
    /// <param name="all">Receives all, in the order of the ranks.</param>
    /// <param name="counts">Elements of each rank, [Size].</param>
    public unsafe void Gather<T>(ReadOnlySpan<T> own, Span<T> all, ReadOnlySpan<int> counts) where T : unmanaged
    {
        var bytes = new int[Size];
        for (int rank = 0; rank < Size; rank++)
            bytes[rank] = checked(counts[rank] * sizeof(T));
        Gather(MemoryMarshal.AsBytes(own), MemoryMarshal.AsBytes(all), bytes);
    }

    /// <summary>Gathers as many values from each rank.</summary>
    /// <param name="own">This rank's values.</param>
    /// <param name="all">Receives all, in the order of the ranks.</param>
    public void GatherEqual<T>(ReadOnlySpan<T> own, Span<T> all) where T : unmanaged =>
        Gather(own, all, [.. Enumerable.Repeat(own.Length, Size)]);

    /// <summary>
    /// Sums an array over the ranks, each element in the order of the ranks, so that the same number of ranks gives the
    /// same bits in each of them: every rank sums a shard, then all gather the shards.
    /// </summary>
    /// <param name="values">This rank's addends; receives the sums.</param>
    public void Sum(Span<float> values)
    {
        if (Size == 1)
            return;
        int shard = (values.Length + Size - 1) / Size, whole = shard * Size;
        if (_sent.Length < whole)
            (_sent, _received) = (new float[whole], new float[whole]);
        Span<float> sent = _sent.AsSpan(0, whole), received = _received.AsSpan(0, whole), sum = received[..shard];
        values.CopyTo(sent);
        sent[values.Length..].Clear();
        Exchange(MemoryMarshal.AsBytes(sent), MemoryMarshal.AsBytes(received));
        for (int rank = 1; rank < Size; rank++)
            TensorPrimitives.Add(sum, received.Slice(rank * shard, shard), sum);
        GatherEqual<float>(sum, sent);
        sent[..values.Length].CopyTo(values);
    }

    /// <summary>Gives the bytes of rank 0 to all.</summary>
    /// <param name="value">Rank 0's bytes; the other ranks' are not looked at.</param>
    public byte[] Broadcast(ReadOnlySpan<byte> value) => Gather(IsFirst ? value : [], out _);

    /// <summary>Whether any rank says so.</summary>
    public bool Any(bool mine)
    {
        var all = new byte[Size];
        GatherEqual<byte>([(byte)(mine ? 1 : 0)], all);
        return all.Contains((byte)1);
    }

    /// <summary>Returns when every rank has come here.</summary>
    public void Barrier() => Any(false);

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    private sealed class Single : RankGroup
    {
        public override int Rank => 0;

        public override int Size => 1;

        public override string Transport => "none";

        public override void Gather(ReadOnlySpan<byte> own, Span<byte> all, ReadOnlySpan<int> counts) =>
            own.CopyTo(all);

        public override void Exchange(ReadOnlySpan<byte> shards, Span<byte> received) => shards.CopyTo(received);

        public override void Abort(int exitCode)
        {
        }
    }
}

/// <summary>Costs of collective calls.</summary>
/// <param name="Calls">Number of calls.</param>
/// <param name="Bytes">Bytes received.</param>
/// <param name="Time">Time in the calls, in which the slowest rank is waited for.</param>
public readonly record struct CollectiveCosts(long Calls, long Bytes, TimeSpan Time);
