using Cliper.Model.Images;

namespace Cliper.Cli.Tests;

/// <summary>A command that is interrupted while it reads data ends with 130, not only one that trains.</summary>
public sealed class CancellationTests
{
    private string _folder = "";

    [SetUp]
    public void WritePictures()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-").FullName;
        for (int i = 0; i < 8; i++)
        {
            var pixels = new byte[3 * 16 * 16];
            new Random(i).NextBytes(pixels);
            string path = In($"data/{(i < 4 ? "train" : "test")}/{(i % 2 == 0 ? "happy" : "sad")}/{i}.png");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(path, SkiaImageCodec.Instance.Encode(new RgbImage(16, 16, pixels), ImageFormat.Png));
        }
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase("", "data", "verify", "folder", "DATA", TestName = "lists are read")]
    [TestCase("", "data", "cache", "folder", "DATA", "--out", "OUT", TestName = "a cache is made")]
    [TestCase("copies within train", "data", "verify", "folder", "DATA", TestName = "copies are sought by data verify")]
    [TestCase("train 4 pictures", "train", "--recipe", "fer2013", "--dataset", "folder", "--data", "DATA",
        "--out", "OUT",
        TestName = "copies are sought by train")]
    public void AnInterruptedCommandEndsWith130WhenThisIsDone(string sign, params string[] args)
    {
        using var source = new CancellationTokenSource();
        using var output = new StringWriter();
        using var error = new CancellingWriter(source, sign);

        int exitCode =
            Application.Run([.. args.Select(arg => arg switch { "DATA" => In("data"), "OUT" => In("out"), _ => arg })],
            new Terminal(output, error), source.Token);

        Assert.That(exitCode, Is.EqualTo(130), error.ToString());
        Assert.That(error.ToString(), Does.EndWith("cliper-gpu: interrupted\n"));
        Assert.That(Directory.Exists(In("out")) ? Directory.GetFiles(In("out"), "*", SearchOption.AllDirectories)
            : [], Is.Empty);
    }

    private string In(string name) => Path.Combine(_folder, name);

    /// <summary>Asks for the end as soon as a text is written to it; at once where the text is empty.</summary>
    private sealed class CancellingWriter : StringWriter
    {
        private readonly CancellationTokenSource _source;
        private readonly string _sign;

        public CancellingWriter(CancellationTokenSource source, string sign)
        {
            (_source, _sign) = (source, sign);
            CancelOnSign();
        }

        public override void Write(char[] buffer, int index, int count)
        {
            base.Write(buffer, index, count);
            CancelOnSign();
        }

        public override void Write(string? value)
        {
            base.Write(value);
            CancelOnSign();
        }

        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            CancelOnSign();
        }

        private void CancelOnSign()
        {
            if (ToString().Contains(_sign, StringComparison.Ordinal))
                _source.Cancel();
        }
    }
}
