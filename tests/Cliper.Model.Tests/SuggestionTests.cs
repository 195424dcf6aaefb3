namespace Cliper.Model.Tests;

public sealed class SuggestionTests
{
    [TestCase("trian", "train")]
    [TestCase("TRAIN", "train")]
    [TestCase("evl", "eval")]
    [TestCase("predcit", "predict")]
    [TestCase("xyz", null)]
    [TestCase("", null)]
    public void TheNearestIsFound(string word, string? nearest) =>
        Assert.That(Suggestion.Nearest(word, ["train", "eval", "predict", "embed"]), Is.EqualTo(nearest));

    [Test]
    public void AHintEndsASentence()
    {
        Assert.That(Suggestion.Hint("trian", ["train"]), Is.EqualTo("; did you mean 'train'?"));
        Assert.That(Suggestion.Hint("xyz", ["train"]), Is.Empty);
    }
}
