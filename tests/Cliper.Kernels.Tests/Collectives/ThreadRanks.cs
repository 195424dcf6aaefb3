using Cliper.Kernels.Collectives;

namespace Cliper.Kernels.Tests.Collectives;

/// <summary>Ranks that are threads of this process, for tests without a launcher.</summary>
internal sealed class ThreadRanks : RankGroup
{
    private readonly Shared _shared;

    private ThreadRanks(Shared shared, int rank) => (_shared, Rank) = (shared, rank);

    public override int Rank { get; }

    public override int Size => _shared.Sent.Length;

    public override string Transport => "threads";

    /// <summary>Does work on several ranks at once and returns what each of them gives.</summary>
    public static T[] Run<T>(int size, Func<RankGroup, T> work)
    {
        using var barrier = new Barrier(size);
        var shared = new Shared(new byte[size][], barrier);
        var results = new T[size];
        Thread[] threads = [.. Enumerable.Range(0, size).Select(rank => new Thread(() =>
            results[rank] = work(new ThreadRanks(shared, rank))))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        return results;
    }

    public override void Gather(ReadOnlySpan<byte> own, Span<byte> all, ReadOnlySpan<int> counts)
    {
        byte[][] sent = Meet(own);
        int at = 0;
        for (int rank = 0; rank < Size; rank++)
        {
            Assert.That(sent[rank], Has.Length.EqualTo(counts[rank]));
            sent[rank].CopyTo(all[at..]);
            at += counts[rank];
        }
        _shared.Barrier.SignalAndWait();
    }

    public override void Exchange(ReadOnlySpan<byte> shards, Span<byte> received)
    {
        byte[][] sent = Meet(shards);
        int shard = shards.Length / Size;
        for (int rank = 0; rank < Size; rank++)
            sent[rank].AsSpan(Rank * shard, shard).CopyTo(received[(rank * shard)..]);
        _shared.Barrier.SignalAndWait();
    }

    public override void Abort(int exitCode) => throw new InvalidOperationException("a rank has failed");

    private byte[][] Meet(ReadOnlySpan<byte> own)
    {
        _shared.Sent[Rank] = own.ToArray();
        _shared.Barrier.SignalAndWait();
        return _shared.Sent;
    }

    private sealed record Shared(byte[][] Sent, Barrier Barrier);
}
