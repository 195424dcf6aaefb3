using Cliper.Model.Metrics;

namespace Cliper.Model.Tests.Metrics;

public sealed class CalibrationTests
{
    [Test]
    public void ErrorOf_AnswersOfTwoBins_WeighsTheirGaps()
    {
        // Three answers of 0.9, two of them right: |2 - 2.7| = 0.7. One of 0.6, wrong: 0.6.
        // In the mean (0.7 + 0.6) / 4.
        LabeledAnswer[] answers = [Of(0.9f, 0), Of(0.9f, 0), Of(0.9f, 1), Of(0.6f, 1)];

        Assert.That(Calibration.ErrorOf(answers), Is.EqualTo(1.3 / 4).Within(1e-6));
        Assert.That(Calibration.ErrorOf([]), Is.Null);
        Assert.That(Calibration.ErrorOf([Of(1, 0)]), Is.Zero, "a certain answer falls into the last bin");
    }

    // For two classes the best temperature makes the probability the share that is right: with logit(p) = log(p / (1 -
    // p)), logit(0.99) / T = logit(0.75).
    [Test]
    public void Fit_AnswersTooSure_MakesTheProbabilityTheShare()
    {
        LabeledAnswer[] answers = [.. Enumerable.Range(0, 400).Select(i => Of(0.99f, i % 4 == 0 ? 1 : 0))];

        float temperature = Calibration.Fit(answers);

        Assert.That(temperature, Is.EqualTo(Math.Log(99) / Math.Log(3)).Within(1e-3));
        Assert.That(Calibration.AtTemperature([0.99f, 0.01f], temperature)[0], Is.EqualTo(0.75).Within(1e-4));
    }

    [Test]
    public void Fit_AnswersThatAreAllRight_IsAsSureAsItMayBe() =>
        Assert.That(Calibration.Fit([Of(0.7f, 0), Of(0.8f, 0)]), Is.EqualTo(0.05).Within(1e-4));

    [Test]
    public void Fit_ProbabilityThatHasBecomeZero_IsFinite() =>
        Assert.That(Calibration.Fit([Of(1, 1), Of(0.9f, 0)]), Is.InRange(0.05f, 20f));

    private static LabeledAnswer Of(float first, int label) => new([first, 1 - first], label);
}
