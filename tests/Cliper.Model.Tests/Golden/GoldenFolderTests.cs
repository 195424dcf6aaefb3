namespace Cliper.Model.Tests.Golden;

[Category("Golden")]
public sealed class GoldenFolderTests
{
    [Test]
    public void TheFolderThatIsNamedHasSets()
    {
        if (GoldenSet.NamedFolder is not { } folder)
        {
            Assert.Ignore($"{GoldenSet.Variable} is not set");
            return;
        }
        Assert.That(folder, Does.Exist, $"{GoldenSet.Variable} names no folder");
        string full = Path.GetFullPath(folder);
        Assert.That(GoldenSet.Clip.Concat(GoldenSet.Losses).Concat(GoldenSet.Training).Concat(GoldenSet.Files("tokenizer.json"))
            .Concat(GoldenSet.Files("preprocess.safetensors")).Any(data =>
                ((GoldenSet)data.Arguments[0]!).Folder == full),
            $"no set in {full}: expected files such as clip_NAME.weights.safetensors");
    }
}
