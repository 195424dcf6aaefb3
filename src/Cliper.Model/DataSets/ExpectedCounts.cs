namespace Cliper.Model.DataSets;

/// <summary>How many samples the published data sets have, so that an incomplete copy is noticed.</summary>
/// <remarks>
/// RAF-DB, DFEW, FERV39k and MAFW are counted in their lists (the latter three as Former-DFER and DFER-CLIP pass them
/// on), FER+ by its authors' program on their table; the others are those of their papers. Sources:
/// docs/data-protocols.md.
/// </remarks>
internal static class ExpectedCounts
{
    private static readonly string[] Split3 = ["train", "validation", "test"];
    private static readonly string[] Fer2013Order = ["anger", "disgust", "fear", "happiness", "sadness",
        "surprise", "neutral"];
    private static readonly string[] FerPlusOrder = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust",
        "fear", "contempt"];
    private static readonly string[] AfewOrder = ["anger", "disgust", "fear", "happiness", "neutral", "sadness",
        "surprise"];
    private static readonly string[] VideoOrder = ["happiness", "sadness", "neutral", "anger", "surprise",
        "disgust", "fear"];
    private static readonly string[] MafwOrder = [.. VideoOrder, "contempt", "anxiety", "helplessness",
        "disappointment"];

    private static readonly int[] DfewAll = [2445, 1894, 2669, 2173, 1469, 145, 902];

    private static readonly int[][] DfewTests =
    [
        [489, 379, 534, 435, 294, 29, 181], [489, 379, 534, 435, 294, 29, 181], [489, 379, 534, 435, 294, 29, 180],
        [489, 379, 534, 434, 294, 29, 180], [489, 378, 533, 434, 293, 29, 180],
    ];

    private static readonly int[] MafwAll = [1242, 1470, 1138, 1390, 1072, 639, 625, 236, 916, 262, 182];

    private static readonly int[][] MafwTests =
    [
        [249, 294, 228, 278, 215, 128, 125, 48, 184, 53, 37], [249, 294, 228, 278, 215, 128, 125, 47, 183, 53, 37],
        [248, 294, 228, 278, 214, 128, 125, 47, 183, 52, 36], [248, 294, 227, 278, 214, 128, 125, 47, 183, 52, 36],
        [248, 294, 227, 278, 214, 127, 125, 47, 183, 52, 36],
    ];

    /// <summary>Samples of a split by class.</summary>
    /// <param name="Split">Its name; "all" for all splits together.</param>
    /// <param name="Classes">Samples of each class by its name.</param>
    public sealed record Count(string Split, IReadOnlyDictionary<string, int> Classes)
    {
        /// <summary>Samples of all classes.</summary>
        public int Total => Classes.Values.Sum();
    }

    /// <summary>
    /// The published numbers of a data set; empty for an unpublished one. A split of which two copies are in use has
    /// two.
    /// </summary>
    /// <param name="format">Name of the format.</param>
    /// <param name="choices">Choices made in reading it.</param>
    /// <param name="fold">Which of the authors' folds is the test.</param>
    public static IReadOnlyList<Count> Of(string format, DataChoices choices, int fold)
    {
        if (choices.MinFrames > 1)
            return [];
        return format switch
        {
            "rafdb" =>
            [
                Of("train", ("surprise", 1290), ("fear", 281), ("disgust", 717), ("happiness", 4772), ("sadness", 1982),
                ("anger", 705), ("neutral", 2524)),
                Of("test", ("surprise", 329), ("fear", 74), ("disgust", 160), ("happiness", 1185), ("sadness", 478),
                ("anger", 162), ("neutral", 680)),
            ],
            "affectnet" => AffectNet(choices.AffectNetClasses),
            "dfew" => Fold(VideoOrder, DfewAll, DfewTests[fold - 1]),
            "ferv39k" =>
            [
                Of("train", VideoOrder, [5854, 5523, 7790, 5906, 2502, 1833, 1680]),
                Of("test", VideoOrder, [1473, 1393, 1958, 1487, 638, 467, 431]),
            ],
            "mafw" when choices.Mafw == MafwLabels.Single => Fold(MafwOrder, MafwAll, MafwTests[fold - 1]),
            // The videos, and the faces that Former-DFER lists: of two clips none, and four that changed their class.
            "afew" =>
            [
                Of("train", AfewOrder, [133, 74, 81, 150, 144, 117, 74]),
                Of("validation", AfewOrder, [64, 40, 46, 63, 63, 61, 46]),
                Of("train", AfewOrder, [135, 74, 81, 150, 142, 117, 74]),
                Of("validation", AfewOrder, [63, 40, 46, 62, 64, 61, 45]),
            ],
            "fer2013" => Splits(Fer2013Order,
                [3995, 436, 4097, 7215, 4830, 3171, 4965], [467, 56, 496, 895, 653, 415, 607],
                [491, 55, 528, 879, 594, 416, 626]),
            "ferplus" when choices.FerPlus == FerPlusLabels.Majority => Splits(FerPlusOrder,
                [8740, 7287, 3149, 3014, 2100, 119, 532, 119], [1182, 865, 415, 351, 287, 24, 62, 13],
                [1090, 893, 396, 384, 273, 18, 83, 16]),
            "ferplus" => Splits(FerPlusOrder,
                [10122, 7503, 3524, 3430, 2407, 169, 641, 160], [1317, 897, 450, 401, 314, 31, 72, 23],
                [1251, 925, 435, 435, 320, 22, 92, 25]),
            "ckplus" when !choices.CkPlusNeutral =>
            [
                Of("all", ("anger", 45), ("contempt", 18), ("disgust", 59), ("fear", 25), ("happiness", 69),
                ("sadness", 28), ("surprise", 83)),
            ],
            _ => [],
        };
    }

    private static Count[] AffectNet(int classes)
    {
        (string, int)[] train =
        [
            ("neutral", 74874), ("happiness", 134415), ("sadness", 25459), ("surprise", 14090), ("fear", 6378),
            ("disgust", 3803), ("anger", 24882),
            ("contempt", 3750),
        ];
        return [Of("train", train[..classes]),
            Of("validation", [.. train[..classes].Select(pair => (pair.Item1, 500))])];
    }

    private static Count[] Splits(string[] classes, params int[][] splits) =>
        [.. Split3.Zip(splits, (split, samples) => Of(split, classes, samples))];

    private static Count[] Fold(string[] classes, int[] all, int[] test) =>
        [Of("train", classes, [.. all.Zip(test, (whole, tested) => whole - tested)]), Of("test", classes, test)];

    private static Count Of(string split, string[] classes, int[] samples) => Of(split, [.. classes.Zip(samples)]);

    private static Count Of(string split, params (string Name, int Samples)[] classes) =>
        new(split, classes.ToDictionary(pair => pair.Name, pair => pair.Samples));
}
