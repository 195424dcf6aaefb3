using Cliper.Model.Faces;
using Cliper.Model.Images;

namespace Cliper.Model.Tests.Data.Faces;

public sealed class TrainingLookTests
{
    [Test]
    public void Of_GrayImagesOfSeveralSizes_IsGrayAndTheMedianSide() => Assert.That(
        TrainingLook.Of([(true, 48), (true, 300), (true, 40)]), Is.EqualTo(new TrainingLook(true, 48)));

    [Test]
    public void Of_OneImageInColor_IsNotGray() =>
        Assert.That(TrainingLook.Of([(true, 48), (false, 48)]).IsGray, Is.False);

    [Test]
    public void Apply_ColorImageForGrayModel_HasItsLuminanceAndTheirSide()
    {
        // Pure red, green, blue and white: 0.299, 0.587, 0.114 and 1 of 255.
        foreach ((byte[] color, int gray) in new[]
            { (new byte[] { 255, 0, 0 }, 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255, 255, 255], 255) })
        {
            var image = new RgbImage(96, 96, [.. Enumerable.Range(0, 96 * 96).SelectMany(_ => color)]);

            RgbImage look = new TrainingLook(true, 48).Apply(image);

            Assert.That((look.Width, look.Height), Is.EqualTo((48, 48)));
            Assert.That(look.Pixels, Is.All.EqualTo(gray));
        }
    }

    [Test]
    public void Apply_SmallImageForColorModel_IsTheImageItself()
    {
        RgbImage image = TestImages.Make(1, 20, 20);
        Assert.That(new TrainingLook(false, 48).Apply(image), Is.SameAs(image));
    }
}
