namespace Cliper.Model.Tests.Golden;

[Category("Golden")]
public sealed class GoldenFolderTests : TemporaryFolder
{
    [Test]
    public void TheFolderThatIsNamedHasSets()
    {
        if (GoldenSet.NamedFolder is not { } folder)
        {
            Assert.Ignore($"{GoldenSet.Variable} is not set");
            return;
        }
        Assert.That(folder, Does.Exist.IgnoreFiles, $"{GoldenSet.Variable} names {folder}, which is no folder");
        string full = Path.GetFullPath(folder);
        Assert.That(GoldenSet.Clip.Concat(GoldenSet.ResNet).Concat(GoldenSet.Losses).Concat(GoldenSet.Training)
            .Concat(GoldenSet.ResNetTraining)
            .Concat(new[] { "coop_", "cocoop_", "linear_probe_", "finetune_", "explain_" }
                .SelectMany(GoldenSet.OfMethod))
            .Concat(GoldenSet.Files("tokenizer.json"))
            .Concat(GoldenSet.Files("preprocess.safetensors")).Concat(GoldenSet.Files("samplers.json")).Any(data =>
                ((GoldenSet)data.Arguments[0]!).Folder == full),
            $"no set in {full}: expected files such as clip_NAME.weights.safetensors");
    }

    [Test]
    public void WhateverHasTheNameOfASetIsOne()
    {
        File.WriteAllText(In("cliper_loss_file.safetensors"), "");
        Directory.CreateDirectory(In("cliper_loss_folder.safetensors"));
        File.CreateSymbolicLink(In("cliper_loss_link.safetensors"), In("nothing"));
        File.WriteAllText(In("cliper_loss_other.txt"), "");

        Assert.That(GoldenSet.Names(Folder, "cliper_loss_", ".safetensors"),
            Is.EqualTo((string[])["file", "folder", "link"]));
    }
}
