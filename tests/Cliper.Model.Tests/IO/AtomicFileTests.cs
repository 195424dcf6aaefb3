using System.IO.Pipes;
using Cliper.Model.IO;

namespace Cliper.Model.Tests.IO;

[Platform(Exclude = "Win")]
public sealed class AtomicFileTests : TemporaryFolder
{
    [Test]
    public void AFileThatIsReplaced_KeepsItsMode()
    {
        const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        File.WriteAllText(In("secret"), "old");
#pragma warning disable CA1416 // The attribute above leaves Windows out.
        File.SetUnixFileMode(In("secret"), Private);

        AtomicFile.Write(In("secret"), stream => stream.Write("new"u8));

        Assert.That((File.ReadAllText(In("secret")), File.GetUnixFileMode(In("secret"))), Is.EqualTo(("new", Private)));
#pragma warning restore CA1416
    }

    [Test]
    public void ALink_StaysAndItsTargetIsReplaced()
    {
        Directory.CreateDirectory(In("elsewhere"));
        File.WriteAllText(In("elsewhere/target"), "old");
        File.CreateSymbolicLink(In("second"), "elsewhere/target");
        File.CreateSymbolicLink(In("first"), "second");

        AtomicFile.Write(In("first"), stream => stream.Write("new"u8));

        Assert.That(new FileInfo(In("first")).LinkTarget, Is.EqualTo("second"));
        Assert.That(File.ReadAllText(In("elsewhere/target")), Is.EqualTo("new"));
        Assert.That(Directory.GetFileSystemEntries(In("elsewhere")), Has.Length.EqualTo(1), "no temporary file");
    }

    [Test]
    public void APipe_IsWrittenToByItsDescriptorAndByALinkToIt()
    {
        using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        string descriptor = $"/dev/fd/{pipe.GetClientHandleAsString()}";
        File.CreateSymbolicLink(In("link"), descriptor);
        byte[] read = new byte[2];

        foreach (string path in new[] { descriptor, In("link") })
        {
            AtomicFile.Check(path);
            AtomicFile.Write(path, stream => stream.WriteByte(7));
        }

        pipe.ReadExactly(read);
        Assert.That(read, Is.EqualTo(new byte[] { 7, 7 }));
    }

    [Test]
    public void ALinkIntoAFolderThatCannotBeWritten_IsRefusedBeforeTheWork()
    {
        File.CreateSymbolicLink(In("link"), "/proc/none");

        Assert.That(() => AtomicFile.Check(In("link")), Throws.InstanceOf<IOException>());
    }
}
