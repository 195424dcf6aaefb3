using Cliper.Model.DataSets;

namespace Cliper.Model.Reporting;

/// <summary>Data sets for which the paper reports results.</summary>
public enum PaperDataSet
{
    /// <summary>RAF-DB, still images.</summary>
    RafDb,

    /// <summary>AffectNet with 7 classes.</summary>
    AffectNet7,

    /// <summary>AffectNet with 8 classes.</summary>
    AffectNet8,

    /// <summary>FERV39k, video.</summary>
    Ferv39k,

    /// <summary>DFEW, video.</summary>
    Dfew,

    /// <summary>AFEW, video.</summary>
    Afew,
}

/// <summary>Published numbers in percent, as "CLIPER: A Unified Vision-Language Framework for In-the-Wild Facial
/// Expression Recognition" (arXiv 2303.00193) reports and quotes them.</summary>
public static class PaperResults
{
    private static readonly double?[] No = [null, null];

    /// <summary>A method's results: [uar, war] by data set; still images have WAR only.</summary>
    private sealed record Row(string Method, bool FromCliper, double? RafDb = null, double? AffectNet7 = null,
        double? AffectNet8 = null, double?[]? Ferv39k = null, double?[]? Dfew = null, double?[]? Afew = null)
    {
        /// <summary>Descriptors a class and tokens a descriptor, M and L, of a row of Table III.</summary>
        public (int Subclasses, int Tokens)? Sizes { get; init; }

        /// <summary>A doubt about the row's figures on DFEW.</summary>
        public string DfewNote { get; init; } = "";
    }

    private static readonly Row[] Rows =
    [
        new("CLIPER", true, 91.61, 66.29, 61.98, [41.23, 51.34], [57.56, 70.84], [52.00, 56.43])
        { Sizes = (5, 4) },
        new("CLIPER's two stages, one descriptor (M = 1)", true, 90.91, Ferv39k: [39.32, 50.52])
        { Sizes = (1, 4) },
        new("CLIPER, M = 10, L = 4", true, 91.36, Ferv39k: [39.49, 51.00]) { Sizes = (10, 4) },
        new("CLIPER, M = 1, L = 8", true, 90.65, Ferv39k: [40.37, 50.86]) { Sizes = (1, 8) },
        new("CLIPER, M = 5, L = 8", true, 91.20, Ferv39k: [40.62, 51.13]) { Sizes = (5, 8) },
        new("CLIPER, M = 10, L = 8", true, 91.17, Ferv39k: [40.78, 51.50]) { Sizes = (10, 8) },
        new("full fine-tuning, FC head", true, 90.38, Ferv39k: [38.68, 50.13]),
        new("CoCoOp", true, 85.89, Ferv39k: [34.32, 45.53]),
        new("CoOp", true, 84.65, Ferv39k: [32.40, 43.57]),
        new("linear probe", true, 84.29, Ferv39k: [33.06, 44.57]),
        new("zero-shot CLIP, “a photo of {class}”", true, 40.16, Ferv39k: [21.20, 16.20]),
        new("TransFER", false, 90.91, 66.23),
        new("MVT", false, 88.62, 64.57, 61.40),
        new("Face2Exp", false, 88.54, 64.23),
        new("EfficientFace", false, 88.36, 63.70, 59.89),
        new("VTFF", false, 88.14, 64.80, 61.85),
        new("KTN", false, 88.07, 63.97),
        new("SCN", false, 87.03, AffectNet8: 60.23),
        new("RAN", false, 86.90, AffectNet8: 52.97),
        new("IPA2LT", false, 86.77, 55.71),
        new("gACNN", false, 85.07, 58.78),
        new("DLP-CNN", false, 80.89, 54.47),
        new("IAL", false, Ferv39k: [35.82, 48.54], Dfew: [55.71, 69.24], Afew: [50.84, 54.59]),
        new("NR-DFERNet", false, Ferv39k: [33.99, 45.97], Dfew: [54.21, 68.19], Afew: [48.37, 53.54]),
        new("STT", false, Ferv39k: [37.76, 48.11], Dfew: [54.58, 66.65], Afew: [49.11, 54.23]),
        new("DPCNet", false, Dfew: [57.11, 66.32], Afew: [47.86, 51.67]),
        new("Former-DFER", false, Ferv39k: [37.20, 46.85], Dfew: [53.69, 65.70], Afew: [47.42, 50.92]),
        new("I3D-RGB", false, Ferv39k: [30.17, 38.78], Dfew: [46.52, 58.27], Afew: [41.86, 45.41])
        {
            DfewNote = "as printed in the paper, which has 3D ResNet18's figures twice; DFER-CLIP's table has "
                + "43.40 and 54.27",
        },
        new("3D ResNet18", false, Ferv39k: [26.67, 37.57], Dfew: [46.52, 58.27], Afew: [42.14, 45.67]),
        new("EC-STFL", false, Dfew: [45.35, 56.51], Afew: [null, 53.26]),
    ];

    // The methods that the paper's authors measured themselves, in the order of their rows.
    private static readonly string[] OwnMethods =
        ["cliper", "m1", "fine-tune", "cocoop", "coop", "linear-probe", "zero-shot"];

    /// <summary>The published results on a data set, by falling WAR.</summary>
    public static IReadOnlyList<PaperResult> For(PaperDataSet dataSet) =>
    [
        .. Rows.Select(row => (row, values: Values(row, dataSet)))
            .Where(pair => pair.values[1] != null)
            .Select(pair => new PaperResult(pair.row.Method, pair.row.FromCliper, pair.values[0],
            pair.values[1]!.Value)
            { Note = dataSet == PaperDataSet.Dfew ? pair.row.DfewNote : "" })
            .OrderByDescending(result => result.War),
    ];

    /// <summary>The paper's result of its own method on a data set.</summary>
    public static PaperResult Cliper(PaperDataSet dataSet) =>
        For(dataSet).First(result => result.Method == Rows[0].Method);

    /// <summary>The data sets of Table III, and the sizes of its six rows.</summary>
    public static IReadOnlyList<PaperDataSet> SizesDataSets { get; } = [PaperDataSet.RafDb, PaperDataSet.Ferv39k];

    /// <summary>Descriptors a class and tokens a descriptor, M and L, of the six rows of Table III.</summary>
    public static IReadOnlyList<(int Subclasses, int Tokens)> Sizes =>
        [.. Rows.Where(row => row.Sizes is not null).Select(row => row.Sizes!.Value)
            .OrderBy(sizes => (sizes.Tokens, sizes.Subclasses))];

    /// <summary>The paper's result of CLIPER with M descriptors a class and L tokens a descriptor (Table III); null
    /// where it has none.</summary>
    /// <param name="dataSet">The data set.</param>
    /// <param name="subclasses">M.</param>
    /// <param name="tokens">L.</param>
    public static PaperResult? OfSizes(PaperDataSet dataSet, int subclasses, int tokens) =>
        Rows.FirstOrDefault(row => row.Sizes == (subclasses, tokens)) is { } found
            ? For(dataSet).FirstOrDefault(result => result.Method == found.Method) : null;
    /// <summary>The paper's result of a method on a data set; null where it has none.</summary>
    /// <param name="dataSet">The data set.</param>
    /// <param name="method">The method, in the words of the command line.</param>
    public static PaperResult? Of(PaperDataSet dataSet, string method)
    {
        int row = Array.IndexOf(OwnMethods, method);
        return row < 0 ? null : For(dataSet).FirstOrDefault(result => result.Method == Rows[row].Method);
    }

    /// <summary>The data set of a layout, as it was read; null where the paper has no results.</summary>
    /// <param name="format">One of <see cref="DataSetRegistry.Names"/>.</param>
    /// <param name="choices">How it was read.</param>
    public static PaperDataSet? DataSetOf(string format, DataChoices choices) => format switch
    {
        "rafdb" => PaperDataSet.RafDb,
        "affectnet" => choices.AffectNetClasses == 7 ? PaperDataSet.AffectNet7 : PaperDataSet.AffectNet8,
        "ferv39k" => PaperDataSet.Ferv39k,
        "dfew" => PaperDataSet.Dfew,
        "afew" => PaperDataSet.Afew,
        _ => null,
    };

    /// <summary>How the data set is written.</summary>
    public static string Name(PaperDataSet dataSet) => dataSet switch
    {
        PaperDataSet.RafDb => "RAF-DB",
        PaperDataSet.AffectNet7 => "AffectNet-7",
        PaperDataSet.AffectNet8 => "AffectNet-8",
        PaperDataSet.Ferv39k => "FERV39k",
        PaperDataSet.Dfew => "DFEW",
        _ => "AFEW",
    };

    private static double?[] Values(Row row, PaperDataSet dataSet) => dataSet switch
    {
        PaperDataSet.RafDb => [null, row.RafDb],
        PaperDataSet.AffectNet7 => [null, row.AffectNet7],
        PaperDataSet.AffectNet8 => [null, row.AffectNet8],
        PaperDataSet.Ferv39k => row.Ferv39k ?? No,
        PaperDataSet.Dfew => row.Dfew ?? No,
        _ => row.Afew ?? No,
    };
}

/// <summary>A published result.</summary>
/// <param name="Method">The method.</param>
/// <param name="FromCliper">Whether the paper's authors measured it themselves, else they quote it.</param>
/// <param name="Uar">UAR in percent; null where it is not reported.</param>
/// <param name="War">WAR in percent.</param>
public sealed record PaperResult(string Method, bool FromCliper, double? Uar, double War)
{
    /// <summary>A doubt about the printed figures; empty for none.</summary>
    public string Note { get; init; } = "";
}
