using Cliper.Model.Images;
using Cliper.Model.Samples;
using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Tests.SyntheticFaces;

public class SyntheticFacesDataTests
{
    [Test]
    public void LabelsAreOfWhatIsDrawnAndClassesAreBalanced()
    {
        DataSplit split = new SyntheticFacesData("train", 1, 70, 16).ToSplit();
        Assert.That(split.Classes, Is.EqualTo(FaceExpressions.Names));
        Assert.That(split.CountByClass(), Is.All.EqualTo(10));
        var data = new SyntheticFacesData("train", 1, 70, 16);
        for (int index = 0; index < 70; index++)
            Assert.That((int)data.Face(index).Expression, Is.EqualTo(split.Samples[index].Label));
        Assert.That(split.Samples[3].Frames[0].Load(SkiaImageCodec.Instance).Pixels, Is.EqualTo(data.Render(3).Pixels));
    }

    [Test]
    public void ClassNamesAreTheCanonicalOnesInTheirOrder()
    {
        Assert.That(FaceExpressions.Names.Select(Expressions.Canonical), Is.EqualTo(FaceExpressions.Names));
        Assert.That(FaceExpressions.Names, Is.Ordered.Using((IComparer<string>)StringComparer.Ordinal));
    }

    [Test]
    public void TrainAndTestHaveNoImageInCommon()
    {
        DataSetSplits splits = SyntheticFacesData.Splits(1, 140, 140, 16);
        HashSet<string> seen = [.. Images(splits.Train)];
        Assert.That(seen, Has.Count.EqualTo(140));
        Assert.That(Images(splits.Test!).Where(seen.Contains), Is.Empty);

        static IEnumerable<string> Images(DataSplit split) => split.Samples.Select(sample =>
            Convert.ToBase64String(sample.Frames[0].Load(SkiaImageCodec.Instance).Pixels));
    }

    [Test]
    public void AnotherSeedOrNameGivesOtherFaces()
    {
        FaceParameters face = new SyntheticFacesData("train", 1, 1, 16).Face(0);
        Assert.That(new SyntheticFacesData("train", 1, 9, 48).Face(0), Is.EqualTo(face));
        Assert.That(new SyntheticFacesData("train", 2, 1, 16).Face(0), Is.Not.EqualTo(face));
        Assert.That(new SyntheticFacesData("test", 1, 1, 16).Face(0), Is.Not.EqualTo(face));
    }

    [Test]
    public void CaptionsFollowTheVariant()
    {
        var data = new SyntheticFacesData("train", 1, 10, 16);
        Assert.That(data.Caption(4), Is.EqualTo(FaceCaptions.Describe(data.Face(4))));
        Assert.That(Enumerable.Range(0, 20).Select(epoch => data.Caption(4, (uint)epoch)).Distinct().Count(),
            Is.GreaterThan(5));
    }
}
