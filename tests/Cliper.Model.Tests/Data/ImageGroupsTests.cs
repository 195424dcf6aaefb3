using Cliper.Model.Images;
using Cliper.Model.Inference;

namespace Cliper.Model.Tests.Data;

public sealed class ImageGroupsTests
{
    [TestCase(2, 40, 16, 16, 8)]
    [TestCase(6000, 7, 3, 3, 1)]
    public void AGroupIsBoundedByNumberAndBytes(int side, int number, params int[] sizes)
    {
        // 6000 x 6000 pixels take 103 MiB, so that the third passes 256 MiB.
        var image = new RgbImage(side, side, new byte[3 * side * side]);

        IEnumerable<int[]> groups = ImageGroups.Of(Enumerable.Range(0, number), _ => image);

        Assert.That(groups.SelectMany(group => group), Is.EqualTo(Enumerable.Range(0, number)));
        Assert.That(groups.Select(group => group.Length), Is.EqualTo(sizes));
    }

    [Test]
    public void AnItemWithoutAnImageCountsByNumber() =>
        Assert.That(ImageGroups.Of(Enumerable.Range(0, 17), _ => null).Select(group => group.Length),
            Is.EqualTo(new[] { 16, 1 }));
}
