namespace Cliper.Model.Data;

/// <summary>How many samples the published data sets have, so that an incomplete copy is noticed.</summary>
internal static class ExpectedCounts
{
    private static readonly string[] Split3 = ["train", "validation", "test"];

    /// <summary>Samples of a split, by class where they are known.</summary>
    /// <param name="Split">Its name; "all" for all splits together.</param>
    /// <param name="Total">Samples.</param>
    /// <param name="Classes">Samples of each class by its name; null where only the total is known.</param>
    public sealed record Count(string Split, int Total, IReadOnlyDictionary<string, int>? Classes = null);

    /// <summary>What is known of a data set; empty for those of a person's own.</summary>
    /// <param name="format">Name of the format.</param>
    /// <param name="choices">What was chosen in reading it.</param>
    /// <param name="fold">Which of the authors' folds is the test.</param>
    public static IReadOnlyList<Count> Of(string format, DataChoices choices, int fold)
    {
        if (choices.MinFrames > 1)
            return [];
        return format switch
        {
            "rafdb" =>
            [
                Of("train", ("surprise", 1290), ("fear", 281), ("disgust", 717), ("happiness", 4772), ("sadness", 1982), ("anger", 705), ("neutral", 2524)),
                Of("test", ("surprise", 329), ("fear", 74), ("disgust", 160), ("happiness", 1185), ("sadness", 478), ("anger", 162), ("neutral", 680)),
            ],
            "affectnet" => AffectNet(choices.AffectNetClasses),
            "dfew" => fold == 1 ? [new Count("train", 9356), new Count("test", 2341)] : [new Count("all", 11697)],
            "ferv39k" => [new Count("train", 31088), new Count("test", 7847)],
            "mafw" when choices.Mafw == MafwLabels.Single => [new Count("all", 9172)],
            "afew" =>
            [
                Of("train", ("anger", 133), ("disgust", 74), ("fear", 81), ("happiness", 150), ("neutral", 144), ("sadness", 117), ("surprise", 74)),
                Of("validation", ("anger", 64), ("disgust", 40), ("fear", 46), ("happiness", 63), ("neutral", 63), ("sadness", 61), ("surprise", 46)),
            ],
            "fer2013" =>
            [
                .. Split3.Zip(
                [
                    [3995, 436, 4097, 7215, 4830, 3171, 4965], [467, 56, 496, 895, 653, 415, 607], new[] { 491, 55, 528, 879, 594, 416, 626 },
                ], (split, counts) => Of(split, [.. Fer2013Order.Zip(counts)])),
            ],
            "ckplus" when !choices.CkPlusNeutral =>
            [
                Of("all", ("anger", 45), ("contempt", 18), ("disgust", 59), ("fear", 25), ("happiness", 69), ("sadness", 28), ("surprise", 83)),
            ],
            _ => [],
        };
    }

    private static readonly string[] Fer2013Order = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"];

    private static Count[] AffectNet(int classes)
    {
        (string, int)[] train =
        [
            ("neutral", 74874), ("happiness", 134415), ("sadness", 25459), ("surprise", 14090), ("fear", 6378), ("disgust", 3803), ("anger", 24882),
            ("contempt", 3750),
        ];
        return [Of("train", train[..classes]), Of("validation", [.. train[..classes].Select(pair => (pair.Item1, 500))])];
    }

    private static Count Of(string split, params (string Name, int Samples)[] classes) =>
        new(split, classes.Sum(pair => pair.Samples), classes.ToDictionary(pair => pair.Name, pair => pair.Samples));
}
