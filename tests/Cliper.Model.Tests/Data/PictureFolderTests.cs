using System.Diagnostics;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

/// <summary>Links, loops, odd names and odd files in folders: each image once, and the rest named.</summary>
public sealed class PictureFolderTests : TemporaryFolder
{
    [Test]
    public void AnImageIsReadWhateverItsNameEndsWith_AndTheRestIsNamed()
    {
        Write("happy/a.jpg");
        foreach (string copy in new[] { "b.jfif", "c.jpe", "d", "e.jpg.1" })
            File.Copy(In("happy/a.jpg"), In($"happy/{copy}"));
        File.WriteAllText(In("happy/notes.txt"), "a note");
        File.WriteAllBytes(In("happy/f.heic"), [0, 0, 0, 24, .. "ftypheic"u8]);
        File.WriteAllText(In("happy/.hidden.jpg"), "");
        File.WriteAllText(In("happy/Thumbs.db"), "");
        Write("sad/a.png");

        var left = new Dictionary<string, string>();
        Assert.That(ImageFiles.Pictures([In("happy")], left.Add).Select(sample => Path.GetFileName(sample.Name)),
            Is.EqualTo(new[] { "a.jpg", "b.jfif", "c.jpe", "d", "e.jpg.1" }));
        Assert.That(left, Is.EquivalentTo(new Dictionary<string, string>
        {
            [In("happy/notes.txt")] = "not an image: text",
            [In("happy/f.heic")] = "a HEIC image, which is not read; convert it to PNG or JPEG",
            [In("happy/.hidden.jpg")] = "a hidden file",
        }));
        DataSetReport report = DataSetVerifier.Run(Folder, "folder", new(), images: false);
        Assert.That(report.Splits[0].Classes.Select(entry => entry.Found), Is.EqualTo(new[] { 5, 1 }));
        Assert.That(report.LeftOut, Is.EquivalentTo(left.Select(entry => (entry.Key, entry.Value))));
    }

    [TestCase("..")]
    [TestCase(".")]
    [TestCase("../..")]
    [TestCase("../angry")]
    public void ALinkBackIntoTheFolder_AddsNothing_AndIsNamed(string target)
    {
        Write("data/angry/1.png");
        Write("data/angry/2.png");
        Write("data/happy/3.png");
        Directory.CreateSymbolicLink(In("data/happy/back"), target);

        var left = new Dictionary<string, string>();
        Assert.That(ImageFiles.Pictures([In("data")], left.Add), Has.Count.EqualTo(3));
        Assert.That(left.Keys, Is.EqualTo(new[] { In("data/happy/back") }));
        DataSetSplits sets = DataSetRegistry.Open(In("data"), "folder", new() { TestFraction = 0 });
        Assert.That(sets.Train.CountByClass(), Is.EqualTo(new[] { 2, 1 }));
        Assert.That(sets.LeftOut.Select(entry => entry.File), Is.EqualTo(new[] { In("data/happy/back") }));
    }

    [Test]
    public void ALinkToAFolderOfAnotherSplit_DoesNotPutTestImagesIntoTraining()
    {
        foreach (string name in (string[])["train/angry/1", "train/happy/2", "test/angry/3", "test/happy/4"])
            Write($"{name}.png");
        Directory.CreateSymbolicLink(In("train/happy/more"), "../../test/happy");
        DataSetSplits sets = DataSetRegistry.Open(Folder);
        Assert.That(sets.Train.CountByClass(), Is.EqualTo(new[] { 1, 1 }));
        Assert.That(sets.LeftOut.Single().Reason, Does.EndWith("which belongs to test"));
    }

    [Test]
    public void LinksOutOfTheFolder_AreFollowed_EachTargetOnce()
    {
        Write("pool/1.png");
        Write("pool/deep/2.png");
        Directory.CreateSymbolicLink(In("pool/deep/round"), In("data"));
        Directory.CreateDirectory(In("data"));
        File.CreateSymbolicLink(In("data/a.png"), In("pool/1.png"));
        File.CreateSymbolicLink(In("data/b.png"), In("pool/1.png"));
        File.CreateSymbolicLink(In("data/broken.png"), In("nowhere"));
        Directory.CreateSymbolicLink(In("data/more"), In("pool/deep"));

        var left = new Dictionary<string, string>();
        Assert.That(ImageFiles.Pictures([In("data")], left.Add).Select(sample => sample.Name),
            Is.EqualTo(new[] { In("data/a.png"), In("data/more/2.png") }));
        Assert.That(left[In("data/b.png")], Is.EqualTo("the same file as a.png"));
        Assert.That(left[In("data/broken.png")], Is.EqualTo("a link to what is not there"));
        Assert.That(left[In("data/more/round")], Does.Contain("loop"));
    }

    [Test]
    public void FoldersThatLinkToEachOther_EndTheSearch()
    {
        Write("data/1.png");
        Write("one/2.png");
        Write("two/3.png");
        Directory.CreateSymbolicLink(In("data/one"), In("one"));
        Directory.CreateSymbolicLink(In("one/two"), In("two"));
        Directory.CreateSymbolicLink(In("two/one"), In("one"));
        Assert.That(ImageFiles.Pictures([In("data")]), Has.Count.EqualTo(3));
    }

    [Test]
    public void HardLinksAndFifosAndNamesThatAreNotUtf8_AreNamed()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("hard links, FIFOs and such names are made by programs of Linux");
        Write("data/a.png");
        Shell("ln data/a.png data/b.png && mkfifo data/c.png && cp data/a.png \"data/$(printf 'gl\\374ck.png')\"");
        var left = new Dictionary<string, string>();
        Assert.That(ImageFiles.Pictures([In("data")], left.Add), Has.Count.EqualTo(1));
        Assert.That(left, Is.EquivalentTo(new Dictionary<string, string>
        {
            [In("data/b.png")] = "the same file as a.png",
            [In("data/c.png")] = "a FIFO, a socket or a device",
            [In("data/gl\ufffdck.png")] = "its name is not UTF-8 text; rename it",
        }));
        Assert.That(() => ImageFiles.Pictures([In("data/gl\ufffdck.png")]),
            Throws.TypeOf<InputException>().With.Message.Contains("not UTF-8"));
        // .NET cannot remove what it cannot name.
        Shell("rm data/gl*");
    }

    [Test]
    public void WhatIsNamedItself_IsAnsweredOnce_UnderTheNameGiven()
    {
        Write("data/a.png");
        Write("data/b.png");
        File.CreateSymbolicLink(In("link.png"), In("data/a.png"));
        Assert.That(ImageFiles.Pictures([In("data"), In("link.png"), In("data")]).Select(sample => sample.Name),
            Is.EqualTo(new[] { In("data/b.png"), In("link.png") }));
    }

    [Test]
    public void AFolderOfNoImages_SaysWhatWasLeftOut()
    {
        Directory.CreateDirectory(In("data"));
        File.WriteAllText(In("data/a.pdf"), "%PDF-1.7");
        Assert.That(() => ImageFiles.Pictures([In("data")]), Throws.TypeOf<InputException>().With.Message
            .Contains("no pictures in this folder or below it; 1 left out, the first: a.pdf: not an image: a PDF"));
    }

    [TestCase("film.mod", true)]
    [TestCase("film", true)]
    [TestCase("film.jpg", false)]
    public void AFilmIsKnownByItsBytes_UnlessItIsNamedLikeAnImage(string name, bool expected)
    {
        File.WriteAllBytes(In(name), [0, 0, 1, 0xBA, 0x44, 0, 4, 0]);
        Assert.That(ImageFiles.IsVideo(In(name)), Is.EqualTo(expected));
    }

    [Test]
    public void ARealPath_HasNoLinksAndDots()
    {
        Directory.CreateDirectory(In("a/b"));
        Directory.CreateSymbolicLink(In("c"), "a/./b/..");
        string root = FileEntry.RealPath(Folder);
        Assert.That(FileEntry.RealPath(In("c/b/../b")), Is.EqualTo(Path.Combine(root, "a", "b")));
        Assert.That(FileEntry.IsWithin(Path.Combine(root, "a"), root));
        Assert.That(FileEntry.IsWithin(root + "x", root), Is.False);
        File.CreateSymbolicLink(In("self"), In("self"));
        Assert.That(() => FileEntry.RealPath(In("self")), Throws.TypeOf<IOException>());
    }

    private void Write(string name) => TestImages.Write(In(name), TestImages.Make(1));

    private void Shell(string command)
    {
        using Process process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", command])
        {
            WorkingDirectory = Folder,
        })!;
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, command);
    }
}
