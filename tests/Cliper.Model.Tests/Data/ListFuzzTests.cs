using System.Text;
using Cliper.Model.DataSets;

namespace Cliper.Model.Tests.Data;

/// <summary>
/// Damaged lists end in rows or in an <see cref="InputException"/> of one line that names the place, nothing else.
/// CLIPER_FUZZ_ROUNDS=100000 changes each as many times.
/// </summary>
public sealed class ListFuzzTests : TemporaryFolder
{
    // Memory that a reader takes for a list of a few kilobytes, most of it for the message of a refusal.
    private const long MostBytes = 4 << 20;

    private static readonly int Rounds = Fuzzing.Rounds(10_000);

    [Test]
    [CancelAfter(600_000)]
    public void RafDbList() => Fuzz("train_00001.jpg 5\ntrain_00002.jpg 1 0\n\ntest_0001.jpg 7\n", reader =>
        RafDb.Parse(reader, "list").Count());

    [Test]
    [CancelAfter(600_000)]
    public void FerTable()
    {
        string row = string.Join(' ', Enumerable.Range(0, 2304).Select(i => i % 256));
        Fuzz($"emotion,pixels,Usage\n0,\"{row}\",Training\n6,{row},PrivateTest\n", reader =>
            Fer2013.Parse(reader, "list").Count());
    }

    [Test]
    [CancelAfter(600_000)]
    public void CommaSeparated() =>
        Fuzz("path,label,split\na.png,happy,train\n\"b \"\"c\"\".png\",1,val\nd.png,sad,test\n", reader =>
        ListFiles.Parse(reader, "list", "train", ["happy", "sad"]).Count());

    [Test]
    [CancelAfter(600_000)]
    public void Words() => Fuzz("/data/a b/one 16 0\n/data/two 3 1\nthree.png happy\n", reader =>
        ListFiles.Parse(reader, "list", "train", ["happy", "sad"]).Count());

    [Test]
    [CancelAfter(600_000)]
    public void DfewList() => Fuzz("video_name,label\n00001,3\n2,7\n", reader => Dfew.Parse(reader, "list").Count());

    [Test]
    [CancelAfter(600_000)]
    public void Ferv39kList() => Fuzz("Action/Happy/0267 Happy\nDaily/Sad/0001 Sad\n", reader =>
        Ferv39k.Parse(reader, "list").Count());

    [Test]
    [CancelAfter(600_000)]
    public void MafwList() =>
        Fuzz("00001.mp4 anger\n00002.mp4 fear_anger\n", reader => Mafw.Parse(reader, "list", MafwLabels.Compound)
        .Count());

    [Test]
    [CancelAfter(600_000)]
    public void AffectNetList() =>
        Fuzz("subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal\n"
        + "1/a.jpg,4,5,8,9,1;2,3,-0.1,0.2\n2/b.jpg,4,5,8,9,1;2,7,0,0\n", reader => AffectNet.Parse(reader, "list",
        8).Count());

    [Test]
    [CancelAfter(600_000)]
    public void FerPlusTable() =>
        Fuzz("Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
        + "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0\nPublicTest,,0,0,0,0,0,0,0,0,0,10\n", reader =>
        FerPlus.Parse(reader, "list").Count());

    [Test]
    [CancelAfter(600_000)]
    public void CkPlusLabel() => Fuzz("   3.0000000e+00\n", reader => CkPlus.Parse(reader.ReadToEnd(), "list").Length);

    [Test]
    [CancelAfter(600_000)]
    public void Captions()
    {
        foreach (string name in new[] { "a.png", "b.png" })
            File.WriteAllText(In(name), "");
        Fuzz("file,caption\na.png,\"a face, smiling\"\nb.png,a sad face\n", reader =>
        {
            File.WriteAllBytes(In("captions.csv"), Encoding.UTF8.GetBytes(reader.ReadToEnd()));
            return CaptionFile.Open(Folder).Captions.Count;
        }, In("captions.csv"));
    }

    [Test]
    [CancelAfter(600_000)]
    public void NumPyNumbers()
    {
        string header = "{'descr': '<i8', 'fortran_order': False, 'shape': (), }".PadRight(117) + "\n";
        byte[] valid = [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. Encoding.Latin1.GetBytes(header), 3, 0, 0,
            0, 0, 0, 0, 0];
        Assert.That(Npy.Parse(valid, "list"), Is.EqualTo(3));
        var random = new Random(1);
        int refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            byte[] bytes = random.Next(4) == 0 ? valid[..random.Next(valid.Length)] : [.. valid];
            for (int change = random.Next(1, 4); change > 0 && bytes.Length > 0; change--)
                bytes[random.Next(Math.Min(bytes.Length, 80))] = (byte)random.Next(256);
            try
            {
                Npy.Parse(bytes, "list");
            }
            catch (InputException refusal)
            {
                refused++;
                Assert.That(refusal.Message, Does.StartWith("list").And.Not.Contain("\n"));
            }
        }
        Assert.That(refused, Is.InRange(Rounds / 10, Rounds - 10));
    }

    /// <summary>In memory where that can be had.</summary>
    protected override string Parent => Directory.Exists("/dev/shm") ? "/dev/shm" : base.Parent;

    private static void Fuzz(string valid, Func<TextReader, int> parse, string name = "list")
    {
        const string Alphabet = ",\"\n\r\t 0123456789-+.eE#/\\\0\u00e9\ud800\uffff";
        Assert.That(parse(new StringReader(valid)), Is.Positive);
        var random = new Random(1);
        int read = 0, refused = 0;
        for (int round = 0; round < Rounds; round++)
        {
            var text = new StringBuilder(valid);
            for (int change = random.Next(1, 5); change > 0; change--)
            {
                // Half of the changes fall into the first line, which decides how the rest is read.
                int at = random.Next(random.Next(2) == 0 ? Math.Min(text.Length, 24) : text.Length);
                switch (random.Next(4))
                {
                    case 0: text.Insert(at, Alphabet[random.Next(Alphabet.Length)]); break;
                    case 1: text.Remove(at, Math.Min(text.Length - at, random.Next(1, 4))); break;
                    case 2: text[at] = Alphabet[random.Next(Alphabet.Length)]; break;
                    default: text.Length = Math.Max(1, at); break;
                }
                if (text.Length == 0)
                    text.Append(' ');
            }
            string changed = text.ToString();
            long start = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                parse(new StringReader(changed));
                read++;
            }
            catch (InputException refusal)
            {
                refused++;
                Assert.That(refusal.Message, Does.StartWith(name).And.Not.Contain("\n"));
            }
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - start, Is.LessThan(MostBytes),
                $"bytes taken in round {round}");
        }
        // Both ends must occur, or the changes are of no use.
        Assert.That(Math.Min(read, refused), Is.GreaterThan(Rounds / 100), $"{read} read, {refused} refused");
    }
}
