using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

public sealed class ExpressionsTests
{
    [TestCase("Angry", "anger")]
    [TestCase(" anger ", "anger")]
    [TestCase("ANGER", "anger")]
    [TestCase("Happy", "happiness")]
    [TestCase("Suprise", "surprise")]
    [TestCase("normal", "neutral")]
    [TestCase("bored ", "bored")]
    public void Synonyms(string name, string canonical) => Assert.That(Expressions.Canonical(name),
        Is.EqualTo(canonical));

    [Test]
    public void EveryNameIsItsOwnAndHasAnAdjective()
    {
        Assert.That(Expressions.All, Is.Ordered);
        foreach (string name in Expressions.All)
        {
            Assert.That(Expressions.Canonical(name), Is.EqualTo(name));
            Assert.That(Expressions.Canonical(Expressions.Adjective(name)), Is.EqualTo(name));
        }
        Assert.That(Expressions.Adjective("Happiness"), Is.EqualTo("happy"));
    }

    [Test]
    public void ClassesAreFoundByAnySynonym()
    {
        Assert.That(Expressions.IndexOf(["happy", "Sad"], "sadness"), Is.EqualTo(1));
        Assert.That(Expressions.IndexOf(["happy", "Sad"], "fear"), Is.EqualTo(-1));
    }
}
