using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Tests.Devices;

public sealed unsafe class ArenaTests
{
    private readonly List<nint> _segments = [];

    [TearDown]
    public void Release()
    {
        foreach (nint segment in _segments)
            NativeMemory.AlignedFree((void*)segment);
        _segments.Clear();
    }

    private nint Reserve(long bytes)
    {
        nint segment = (nint)NativeMemory.AlignedAlloc((nuint)bytes, 4096);
        _segments.Add(segment);
        return segment;
    }

    [Test]
    public void RandomUseNeverOverlapsAndEndsWithWholeSegments([Range(1, 5)] int seed)
    {
        const long Segment = 1 << 16;
        var arena = new Arena(Reserve, Segment);
        var random = new Random(seed);
        SortedDictionary<nint, long> live = [];
        long bytes = 0, peak = 0;
        for (int round = 0; round < 4000; round++)
        {
            if (live.Count > 0 && random.Next(100) < 48)
            {
                (nint address, long size) = live.ElementAt(random.Next(live.Count));
                arena.Free(address);
                live.Remove(address);
                bytes -= size;
            }
            else
            {
                long wanted = random.Next(20) == 0 ? random.Next(200_000) : random.Next(3000);
                nint address = arena.Allocate(wanted);
                long size = Math.Max(Arena.Alignment, (wanted + Arena.Alignment - 1) / Arena.Alignment
                    * Arena.Alignment);
                Assert.That((long)address % Arena.Alignment, Is.Zero);
                Assert.That(arena.Segments.Any(s => address >= s.Address && address + (nint)size <= s.Address
                    + (nint)s.Size));
                live.Add(address, size);
                bytes += size;
                peak = Math.Max(peak, bytes);
            }
            Assert.That((arena.LiveBytes, arena.LiveBlocks, arena.PeakBytes), Is.EqualTo((bytes, live.Count, peak)));
        }
        nint end = 0;
        foreach ((nint address, long size) in live)
        {
            Assert.That(address, Is.GreaterThanOrEqualTo(end), "overlap");
            end = address + (nint)size;
        }

        foreach (nint address in live.Keys)
            arena.Free(address);

        // All neighbors have been merged: every segment can be allocated as one block, without a new one.
        long reserved = arena.ReservedBytes;
        nint[] whole = [.. arena.Segments.ToArray().OrderByDescending(s => s.Size).Select(s => arena.Allocate(s.Size))];
        Assert.That(arena.ReservedBytes, Is.EqualTo(reserved));
        Assert.That(whole, Is.EquivalentTo(arena.Segments.Select(s => s.Address)));
        Assert.That(arena.LiveBytes, Is.EqualTo(reserved));
    }

    [Test]
    public void FreeingTwiceOrASliceIsAnError()
    {
        var arena = new Arena(Reserve);
        nint block = arena.Allocate(1000);
        Assert.That(() => arena.Free(block + Arena.Alignment), Throws.InvalidOperationException);
        arena.Free(block);
        Assert.That(() => arena.Free(block), Throws.InvalidOperationException);
    }

    [Test]
    public void TheSameStepTakesNothingMore()
    {
        var arena = new Arena(Reserve, 1 << 16);
        nint[] Step() => [.. new long[] { 1000, 70_000, 5, 300 }.Select(arena.Allocate)];
        nint[] first = Step();
        foreach (nint block in first)
            arena.Free(block);
        long reserved = arena.ReservedBytes;
        nint[] second = Step();
        Assert.That(second, Is.EqualTo(first));
        Assert.That(arena.ReservedBytes, Is.EqualTo(reserved));
    }
}
