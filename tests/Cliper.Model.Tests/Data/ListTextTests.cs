using System.Text;
using Cliper.Model.DataSets;
using Cliper.Model.Faces;
using Cliper.Model.IO;
using Cliper.Model.Loading;

namespace Cliper.Model.Tests.Data;

/// <summary>Lists and other files that were made by other programs, or are changed by them meanwhile.</summary>
public sealed class ListTextTests : TemporaryFolder
{
    [Test]
    public void LinesEndAsAnySystemEndsThem()
    {
        File.WriteAllText(In("a.csv"), "one\ntwo\r\nthree\rfour\n\nsix", new UTF8Encoding(true));
        Assert.That(Lines(In("a.csv")), Is.EqualTo(new[] { "one", "two", "three", "four", "", "six" }));
        File.WriteAllText(In("empty.csv"), "");
        Assert.That(Lines(In("empty.csv")), Is.Empty);
        // A carriage return at the end of the reader's buffer, and its line feed after it.
        string longer = new('x', (1 << 16) - 1);
        File.WriteAllText(In("b.csv"), $"{longer}\r\ny\n");
        Assert.That(Lines(In("b.csv")), Is.EqualTo(new[] { longer, "y" }));
    }

    [Test]
    public void SpreadsheetsUtf16IsRead()
    {
        foreach (Encoding encoding in new[] { Encoding.Unicode, Encoding.BigEndianUnicode })
        {
            File.WriteAllText(In("a.csv"), "Zoë,Freude\r\n笑,happy\r\n", encoding);
            Assert.That(Lines(In("a.csv")), Is.EqualTo(new[] { "Zoë,Freude", "笑,happy" }));
        }
    }

    [Test]
    public void AListThatIsNotUtf8IsRefusedWithItsLine()
    {
        File.WriteAllBytes(In("a.csv"), [.. "a.png,happy\nb.png,g"u8, 0xEA, .. "n"u8, 0xE9, .. "\n"u8]);
        Assert.That(() => DataSetRegistry.Open(In("a.csv"), "list"), Throws.TypeOf<InputException>()
            .With.Message.Contains("a.csv:2: not text in UTF-8 (the byte 0xEA after 7 others)"));
    }

    [Test]
    public void AnEndlessLineIsRefusedBeforeItIsInMemory()
    {
        using (FileStream file = File.Create(In("a.csv")))
            file.SetLength(100 << 20);
        long before = GC.GetTotalAllocatedBytes();
        Assert.That(() => DataSetRegistry.Open(In("a.csv"), "list"), Throws.TypeOf<InputException>()
            .With.Message.Contains("a.csv:1: a line of more than").And.Message.Length.LessThan(300));
        Assert.That(GC.GetTotalAllocatedBytes() - before, Is.LessThan(20 << 20));
    }

    [TestCase("a\u001B[31mb", "control characters")]
    [TestCase(null, "a label of 100,000 characters")]
    public void ALabelThatNoTableCanShowIsRefused(string? label, string message)
    {
        File.WriteAllText(In("a.csv"), $"path,label\na.png,{label ?? new string('x', 100_000)}\n");
        Assert.That(() => DataSetRegistry.Open(In("a.csv"), "list"), Throws.TypeOf<InputException>()
            .With.Message.Contains(message).And.Message.Length.LessThan(300).And.Message.Not.Contains("\u001B"));
    }

    [Test]
    public void ADeepCascadeIsRefusedAtOnce()
    {
        const int Depth = 200_000;
        File.WriteAllText(In("deep.xml"), string.Concat(Enumerable.Repeat("<a>", Depth))
            + string.Concat(Enumerable.Repeat("</a>", Depth)));
        var time = System.Diagnostics.Stopwatch.StartNew();
        Assert.That(() => CascadeDetector.Load(In("deep.xml")), Throws.TypeOf<InputException>()
            .With.Message.Contains("to a depth of more than 32"));
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(10)));
    }

    [Test]
    public void AFileThatBecomesShorterIsAnError()
    {
        File.WriteAllBytes(In("a"), new byte[1 << 20]);
        using var file = new ReadOnlyFile(In("a"));
        Assert.That(file.Read(1 << 19, 1 << 19), Has.Length.EqualTo(1 << 19));
        using (FileStream other = new(In("a"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            other.SetLength(5000);
        Assert.That(() => file.Read(4000, 2000), Throws.TypeOf<InputException>()
            .With.Message.Contains("has become shorter"));
        Assert.That(() => file.ReadPiece(0, 1 << 20).Dispose(), Throws.TypeOf<InputException>());
    }

    [Test]
    public void ACacheThatBecomesShorterIsAnError()
    {
        using var loader = new BatchLoader(TestImages.Split(4), new LoaderOptions
        {
            BatchSize = 2,
            ImageSize = 8,
            Threads = 0,
            Cache = CacheMode.Disk,
            CacheFolder = In("cache"),
        });
        loader.Prepare(null, CancellationToken.None);
        string cache = Directory.GetFiles(In("cache")).Single();
        using (FileStream other = new(cache, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            other.SetLength(300);
        Assert.That(() =>
        {
            foreach (Batch batch in loader.Epoch(0))
                batch.Dispose();
        }, Throws.TypeOf<InputException>().With.Message.Contains("has become shorter"));
    }

    private static List<string> Lines(string path)
    {
        using var reader = new Utf8LineReader(path);
        var lines = new List<string>();
        while (reader.ReadLine() is { } line)
            lines.Add(line);
        return lines;
    }
}
