using Cliper.Model.Images;
using Cliper.Model.Interpretation;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Interpretation;

public sealed class DescriptorAnswersTests
{
    // Two classes with two descriptors; cosines are a tenth of the scores.
    private static DescriptorAnswer Answer(int index, int label, params float[] scores) =>
        DescriptorAnswer.Of(index, label, Prediction.FromLogits(scores, subclasses: 2), temperature: 0.1f);

    private static DescriptorAnswers Some()
    {
        DescriptorAnswer[] answers =
        [
            Answer(0, 0, 5, 2, 0, 0), Answer(1, 0, 1, 4, 9, 9), Answer(2, 0, 3, 3, 0, 0), Answer(3, 1, 0, 0, 2, 8),
        ];
        var split = new DataSplit("test", ["joy", "fear"], [.. answers.Select(answer => new Sample($"{answer.Index}",
            answer.Label, [new GeneratedFrame("black", () => new RgbImage(2, 2, new byte[12]))]))]);
        return new DescriptorAnswers(split, new FeatureTable(1, new float[4], new bool[4]), [], answers);
    }

    [Test]
    public void TheNearestDescriptor_IsOfTheOwnClass_WhateverWasPredicted()
    {
        DescriptorAnswer wrong = Some().Answers[1];

        Assert.That((wrong.Label, wrong.Predicted, wrong.Descriptor, wrong.IsRight), Is.EqualTo((0, 1, 1, false)));
        Assert.That((wrong.Cosine, wrong.Margin), Is.EqualTo((0.4f, 0.3f)).Within(1e-6f));
        Assert.That(Some().Answers[2].Descriptor, Is.Zero, "of equal ones the lowest");
        Assert.That(Some().Answers[2].Margin, Is.Zero);
    }

    [Test]
    public void Counts_HaveEverySampleOfAClass() => Assert.That(Some().Counts(2),
        Is.EqualTo(new long[][] { [2, 1], [0, 1] }));

    [Test]
    public void TheGallery_ShowsTheClearestFirst_AndMarksWhatIsWrong()
    {
        DescriptorAnswers all = Some();
        IReadOnlyList<ReportDescriptor> gallery = DescriptorGallery.Of(all.Split, 2, all.Answers, [], examples: 8);

        Assert.That(gallery.Select(one => (one.Class, one.Number, one.Nearest, one.Right)), Is.EqualTo(new[]
        {
            ("joy", 1, 2L, 2L), ("joy", 2, 1L, 0L), ("fear", 1, 0L, 0L), ("fear", 2, 1L, 1L),
        }));
        Assert.That(gallery[0].Examples.Select(example => example.Picture.Name), Is.EqualTo(new[] { "0", "2" }));
        Assert.That(gallery[1].Examples.Single().Mistaken, Is.EqualTo("fear"));
        Assert.That(gallery[0].Share, Is.EqualTo(2.0 / 3).Within(1e-12));
        Assert.That(gallery[2].MedianMargin, Is.Null);
    }

    [TestCase("berser", "berser·"), TestCase("happy</w>", "happy"), TestCase("<|endoftext|>", "<|endoftext|>")]
    public void ATokenThatAWordGoesOnAfter_IsMarked(string token, string text) =>
        Assert.That(TokenWords.TextOf(token), Is.EqualTo(text));

    [Test]
    public void ThePapersWords_StandAtTheirPlaces()
    {
        Assert.That(PaperWords.At("happiness", descriptor: 2, token: 0), Is.EqualTo("kindness"));
        Assert.That(PaperWords.At("happiness", descriptor: 0, token: 2), Is.Null);
        Assert.That(PaperWords.Note, Does.Contain("21 words").And.Contain("the other 14 are not known to us"));
    }
}
