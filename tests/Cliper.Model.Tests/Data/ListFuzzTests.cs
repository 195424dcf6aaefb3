using System.Text;
using Cliper.Model.Data.Sets;

namespace Cliper.Model.Tests.Data;

/// <summary>Damaged lists end in rows or in an <see cref="InputException"/> of one line that names the place, nothing else.</summary>
public sealed class ListFuzzTests
{
    private const int Rounds = 10_000;

    [Test]
    [CancelAfter(60_000)]
    public void RafDbList() => Fuzz("train_00001.jpg 5\ntrain_00002.jpg 1 0\n\ntest_0001.jpg 7\n", reader => RafDb.Parse(reader, "list").Count());

    [Test]
    [CancelAfter(60_000)]
    public void FerTable()
    {
        string row = string.Join(' ', Enumerable.Range(0, 2304).Select(i => i % 256));
        Fuzz($"emotion,pixels,Usage\n0,\"{row}\",Training\n6,{row},PrivateTest\n", reader => Fer2013.Parse(reader, "list").Count());
    }

    [Test]
    [CancelAfter(60_000)]
    public void CommaSeparated() =>
        Fuzz("path,label,split\na.png,happy,train\n\"b \"\"c\"\".png\",1,val\nd.png,sad,test\n", reader => ListFiles.Parse(reader, "list", "train", ["happy", "sad"]).Count());

    [Test]
    [CancelAfter(60_000)]
    public void Words() => Fuzz("/data/a b/one 16 0\n/data/two 3 1\nthree.png happy\n", reader => ListFiles.Parse(reader, "list", "train", ["happy", "sad"]).Count());

    private static void Fuzz(string valid, Func<TextReader, int> parse)
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
            try
            {
                parse(new StringReader(text.ToString()));
                read++;
            }
            catch (InputException refusal)
            {
                refused++;
                Assert.That(refusal.Message, Does.StartWith("list").And.Not.Contain("\n"));
            }
        }
        // Both ends must occur, or the changes are of no use.
        Assert.That(Math.Min(read, refused), Is.GreaterThan(Rounds / 100), $"{read} read, {refused} refused");
    }
}
