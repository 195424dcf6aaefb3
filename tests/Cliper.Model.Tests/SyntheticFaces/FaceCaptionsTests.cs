using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Tests.SyntheticFaces;

public class FaceCaptionsTests
{
    private static readonly (string Word, Func<FaceParameters, bool> Holds)[] Claims =
    [
        ("glasses", face => face.Glasses),
        ("beard", face => face.Beard == Beard.Full),
        ("moustache", face => face.Beard == Beard.Moustache),
        ("bald", face => face.Style == HairStyle.Bald),
        ("bun", face => face.Style == HairStyle.Bun),
        ("red", face => face.Hair == HairColor.Red),
        ("grey", face => face.Hair == HairColor.Gray),
        ("blond", face => face.Hair == HairColor.Blond),
        ("old", face => face.Age == FaceAge.Old),
        ("child", face => face.Age == FaceAge.Child),
        ("girl", face => face is { Age: FaceAge.Child, Build: FaceBuild.Female }),
        ("woman", face => face is { Age: not FaceAge.Child, Build: FaceBuild.Female }),
        ("man", face => face is { Age: not FaceAge.Child, Build: FaceBuild.Male }),
        ("warm", face => face.Light == FaceLight.Warm),
        ("cold", face => face.Light == FaceLight.Cold),
        ("dark skin", face => face.Skin == SkinTone.Dark),
        ("slightly", face => face.Intensity is > 0 and < 0.55f),
        ("very", face => face.Intensity > 0.8f),
        ("terrified", face => face.Expression == FaceExpression.Fear && face.Intensity > 0.8f),
        ("smile", face => face.Units.CornerUp > 0.5f),
        ("wrinkled nose", face => face.Units.NoseWrinkle > 0.5f),
        ("anger", face => face.Expression == FaceExpression.Anger),
        ("happy", face => face.Expression == FaceExpression.Happiness),
        ("neutral", face => face.Expression == FaceExpression.Neutral),
        ("sad", face => face.Expression == FaceExpression.Sadness),
        ("afraid", face => face.Expression == FaceExpression.Fear),
        ("surprise", face => face.Expression == FaceExpression.Surprise),
        ("disgust", face => face.Expression == FaceExpression.Disgust),
    ];

    [Test]
    public void ACaptionSaysOnlyWhatIsDrawn()
    {
        int[] said = new int[Claims.Length];
        for (int index = 0; index < 4000; index++)
        {
            FaceParameters face = FaceParameters.Random(9, index);
            string caption = $" {FaceCaptions.Describe(face)} ".Replace(",", "");
            for (int claim = 0; claim < Claims.Length; claim++)
                if (caption.Contains($" {Claims[claim].Word} ", StringComparison.Ordinal))
                {
                    said[claim]++;
                    Assert.That(Claims[claim].Holds(face), $"\"{caption}\" of {face}");
                }
        }
        Assert.That(said, Is.All.GreaterThan(0), "every claim is made at least once");
    }

    [Test]
    public void OneFaceHasManyCaptionsAndEachIsRepeatable()
    {
        FaceParameters face = FaceParameters.Random(9, 3);
        string[] captions = [.. Enumerable.Range(0, 40).Select(variant => FaceCaptions.Describe(face, (uint)variant))];
        Assert.That(captions.Distinct().Count(), Is.GreaterThan(10));
        Assert.That(Enumerable.Range(0, 40).Select(variant => FaceCaptions.Describe(face, (uint)variant)),
            Is.EqualTo(captions));
    }

    [Test]
    public void ArticlesFitAndThereAreNoDoubleSpaces()
    {
        foreach (string caption in FaceCaptions.Corpus(4, 5000))
        {
            Assert.That(caption, Does.Not.Match(@"\ba [aeiouAEIOU](?!$)").And.Not.Match(@"\ban [^aeiouAEI]"));
            Assert.That(caption, Does.Not.Contain("  ").And.Not.EndWith(" ").And.Not.StartWith(" "));
        }
    }

    [Test]
    public void TheCorpusHasTheClassNamesAndThePromptOfTheDescriptors()
    {
        HashSet<string> words = [.. FaceCaptions.Corpus(4, 5000).SelectMany(caption => caption.Split(' ', ','))];
        foreach (string name in FaceExpressions.Names)
            Assert.That(words, Does.Contain(name));
        foreach (string word in (string[])["an", "ID", "photo", "of", "a", "face", "happy", "sad", "angry"])
            Assert.That(words, Does.Contain(word));
    }
}
