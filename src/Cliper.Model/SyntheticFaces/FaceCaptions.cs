using Cliper.Kernels.Operations;

namespace Cliper.Model.SyntheticFaces;

/// <summary>
/// Sentences that describe synthetic faces: the expression in one of several words, often with its strength, and some
/// other features. A caption names only what the image shows.
/// </summary>
internal static class FaceCaptions
{
    private const float ClearlyVisible = 0.5f;

    /// <summary>
    /// Words of an expression: adjectives that fit any strength, nouns, and adjectives for weak and strong ones.
    /// </summary>
    private readonly record struct Words(string[] Adjectives, string[] Nouns, string[] Weak, string[] Strong);

    private static readonly Words[] Vocabulary =
    [
        new(["angry", "mad"], ["anger", "rage"], ["annoyed", "cross"], ["furious", "enraged"]),
        new(["disgusted", "revolted"], ["disgust", "revulsion"], ["displeased"], ["repelled", "sickened"]),
        new(["afraid", "scared", "fearful", "frightened"], ["fear", "fright"], ["worried", "anxious"], ["terrified"]),
        new(["happy", "smiling", "joyful", "cheerful"], ["happiness", "joy"], ["pleased", "content"],
            ["delighted", "laughing"]),
        new(["neutral", "calm"], ["calm", "calmness"], ["relaxed"], ["expressionless"]),
        new(["sad", "unhappy", "sorrowful"], ["sadness", "sorrow"], ["gloomy"], ["miserable", "heartbroken"]),
        new(["surprised", "astonished", "amazed"], ["surprise", "astonishment"], ["puzzled"], ["shocked", "stunned"]),
    ];

    /// <summary>
    /// Describes a face. Two variants of one face differ in words, order and detail.
    /// </summary>
    /// <param name="face">The face.</param>
    /// <param name="variant">Chooses the sentence; the same face and variant give the same one.</param>
    public static string Describe(FaceParameters face, uint variant = 0)
    {
        var random = new FaceRandom(face.Details, RandomPurpose.Captions, variant, 0);
        string noun = random.Pick<string>(Vocabulary[(int)face.Expression].Nouns);
        string className = FaceExpressions.Names[(int)face.Expression];
        string adjective = Adjective(face, ref random);
        string person = Person(face, ref random);
        string described = WithArticle($"{adjective} {person}");
        string detail = Detail(face, ref random);
        return random.Below(12) switch
        {
            0 => $"a photo of {className}",
            1 => $"a photo of {described}{detail}",
            2 => $"a drawing of {described}{detail}",
            3 => $"an ID photo of {described}",
            4 => $"{WithArticle(person)}{detail} who looks {adjective}",
            5 => $"a face that shows {noun}",
            6 => $"the face of {described}{detail}",
            7 => $"an expression of {(random.Chance(0.5f) ? className : noun)}",
            8 => $"{WithArticle($"{adjective} face")}{Muscles(face, ref random)}",
            9 => $"{WithArticle(person)}{detail}, {adjective}",
            10 => $"a picture of {noun} in the face of {WithArticle(person)}",
            _ => $"{described}{Muscles(face, ref random)}",
        };
    }

    /// <summary>
    /// Sentences in which every word of the captions occurs, as often as in captions: what a vocabulary is built from.
    /// </summary>
    /// <param name="seed">Which sentences.</param>
    /// <param name="count">How many; with some thousands no word is missing.</param>
    public static IEnumerable<string> Corpus(ulong seed, int count) =>
        Enumerable.Range(0, count).Select(index => Describe(FaceParameters.Random(seed, index)));

    private static string Adjective(FaceParameters face, ref FaceRandom random)
    {
        Words words = Vocabulary[(int)face.Expression];
        string plain = random.Pick<string>(words.Adjectives);
        if (face.Expression == FaceExpression.Neutral)
            return random.Chance(0.2f) ? random.Pick<string>([.. words.Weak, .. words.Strong]) : plain;
        if (random.Chance(0.4f))
            return plain;
        return face.Intensity switch
        {
            < 0.55f when random.Chance(0.6f) => $"{random.Pick<string>(["slightly", "a little"])} {plain}",
            < 0.55f => random.Pick<string>(words.Weak),
            > 0.8f when random.Chance(0.6f) => $"{random.Pick<string>(["very", "extremely"])} {plain}",
            > 0.8f => random.Pick<string>(words.Strong),
            _ => plain,
        };
    }

    private static string Person(FaceParameters face, ref FaceRandom random)
    {
        bool female = face.Build == FaceBuild.Female;
        return face.Age switch
        {
            FaceAge.Child => random.Chance(0.4f) ? "child" : female ? "girl" : "boy",
            FaceAge.Old => random.Chance(0.2f) ? "old person" : female ? "old woman" : "old man",
            _ when random.Chance(0.2f) => "person",
            _ when random.Chance(0.3f) => female ? "young woman" : "young man",
            _ => female ? "woman" : "man",
        };
    }

    private static string Detail(FaceParameters face, ref FaceRandom random)
    {
        string light = face.Light switch
        {
            FaceLight.Left => " lit from the left",
            FaceLight.Right => " lit from the right",
            FaceLight.Dark => " in the dark",
            FaceLight.Warm => " in warm light",
            FaceLight.Cold => " in cold light",
            _ => "",
        };
        string worn = face switch
        {
            { Glasses: true } when random.Chance(0.7f) => " with glasses",
            { Beard: Beard.Full } => " with a beard",
            { Beard: Beard.Moustache } => " with a moustache",
            _ => Hair(face, ref random),
        };
        return random.Below(4) switch
        {
            0 => "",
            1 => worn + light,
            2 => random.Chance(0.5f) ? $" with {face.Skin.ToString().ToLowerInvariant()} skin" : worn,
            _ => worn,
        };
    }

    private static string Hair(FaceParameters face, ref FaceRandom random)
    {
        // The shipped vocabulary was built from captions that spell it so.
        string color = face.Hair == HairColor.Gray ? "grey" : face.Hair.ToString().ToLowerInvariant();
        return face.Style switch
        {
            HairStyle.Bald => " with a bald head",
            HairStyle.Bun => random.Chance(0.5f) ? " with a bun" : $" with {color} hair in a bun",
            HairStyle.Bob => random.Chance(0.5f) ? " with a fringe" : $" with {color} hair",
            HairStyle style => random.Chance(0.5f)
                ? $" with {color} hair"
                : $" with {style.ToString().ToLowerInvariant()} {color} hair",
        };
    }

    /// <summary>Describes one or two clearly visible action units; empty when there are none.</summary>
    private static string Muscles(FaceParameters face, ref FaceRandom random)
    {
        ActionUnits units = face.Units;
        ReadOnlySpan<(float Strength, string Words)> seen =
        [
            (Math.Min(units.InnerBrowRaise, units.OuterBrowRaise), "raised brows"),
            (units.BrowLower, "lowered brows"),
            (units.LidRaise, "wide open eyes"),
            (units.NoseWrinkle, "a wrinkled nose"),
            (units.CornerUp, "a smile"),
            (units.CornerDown, "the mouth turned down"),
            (units.LipStretch, "stretched lips"),
            (units.LipPress, "pressed lips"),
            (units.MouthOpen, "an open mouth"),
        ];
        var visible = new List<string>();
        foreach ((float strength, string words) in seen)
            if (strength > ClearlyVisible)
                visible.Add(words);
        if (visible.Count == 0)
            return "";
        int first = random.Below(visible.Count);
        int second = random.Below(visible.Count);
        return first == second ? $" with {visible[first]}" : $" with {visible[first]} and {visible[second]}";
    }

    private static string WithArticle(string phrase) => phrase.StartsWith("a little", StringComparison.Ordinal)
        ? phrase
        : "aeiou".Contains(phrase[0]) ? $"an {phrase}" : $"a {phrase}";
}
