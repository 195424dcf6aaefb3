using System.Security.Cryptography;
using Cliper.Model.Loading;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

/// <summary>
/// Cache files changed at random. CLIPER_FUZZ_ROUNDS=100000 changes one as many times.
/// </summary>
public sealed class CacheFuzzTests : TemporaryFolder
{
    private const int ChecksumBytes = 32;

    // Magic, fingerprint, number, and three entries of 40 bytes.
    private const int StructureBytes = 8 + 32 + 8 + 3 * 40;

    // The file has less than a kilobyte; a loader takes a few buffers of a mebibyte for its checksum.
    private const long MostBytes = 16 << 20;

    private static readonly int Rounds = Fuzzing.Rounds(500);

    private readonly DataSplit _split = TestImages.Split(3, width: 6, height: 5);

    /// <summary>In memory where that can be had.</summary>
    protected override string Parent => Directory.Exists("/dev/shm") ? "/dev/shm" : base.Parent;

    private LoaderOptions Options => new()
    {
        BatchSize = 3,
        ImageSize = 8,
        Threads = 0,
        Prefetch = 1,
        Cache = CacheMode.Disk,
        CacheFolder = Folder
    };

    [Test]
    public void ADamagedFileIsNeverUsed()
    {
        float[] expected = Pixels();
        string file = Directory.GetFiles(Folder).Single();
        byte[] whole = File.ReadAllBytes(file);
        int same = 0;
        for (int round = 0; round < Rounds; round++)
        {
            File.WriteAllBytes(file, Fuzzing.Mutate(whole, StructureBytes, new Random(round)));
            long start = GC.GetAllocatedBytesForCurrentThread();

            Assert.That(Pixels().AsSpan().SequenceEqual(expected), $"round {round}");

            Assert.That(GC.GetAllocatedBytesForCurrentThread() - start, Is.LessThan(MostBytes),
                $"bytes taken in round {round}");
            same += File.ReadAllBytes(file).AsSpan().SequenceEqual(whole) ? 1 : 0;
        }
        Assert.That(same, Is.EqualTo(Rounds), "the file is made anew");
        Assert.That(Directory.GetFiles(Folder), Is.EqualTo(new[] { file }), "nothing else is written");
    }

    [Test]
    public void AFileWithARightChecksumIsReadWithinItsBounds()
    {
        float[] expected = Pixels();
        string file = Directory.GetFiles(Folder).Single();
        byte[] whole = File.ReadAllBytes(file);
        int used = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] changed = Fuzzing.Mutate(whole[..^ChecksumBytes], StructureBytes, new Random(round));
            File.WriteAllBytes(file, [.. changed, .. SHA256.HashData(changed)]);
            long start = GC.GetAllocatedBytesForCurrentThread();

            // Other pixels, or the images again: reading beyond the file would end the process.
            float[] pixels = Pixels();

            Assert.That(pixels, Has.Length.EqualTo(expected.Length));
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - start, Is.LessThan(MostBytes),
                $"bytes taken in round {round}");
            used += pixels.AsSpan().SequenceEqual(expected) ? 0 : 1;
        }
        // Changes that no checksum tells must get through now and then, or the test tests nothing.
        Assert.That(used, Is.InRange(1, Rounds - 1));
    }

    private float[] Pixels()
    {
        using var loader = new BatchLoader(_split, Options);
        using Batch batch = loader.Epoch(0).Single();
        return batch.Pixels.ToArray();
    }
}
