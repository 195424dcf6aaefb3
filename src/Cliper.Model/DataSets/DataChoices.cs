using System.Text.Json.Serialization;
using System.Text.RegularExpressions;

namespace Cliper.Model.DataSets;

/// <summary>Which labels of MAFW are read.</summary>
public enum MafwLabels
{
    /// <summary>Clips of one expression, 11 classes.</summary>
    Single,

    /// <summary>All clips; two or more expressions at once are a class of their own, such as "anger+disgust".</summary>
    Compound,
}

/// <summary>How the votes of FER+ become labels.</summary>
public enum FerPlusLabels
{
    /// <summary>The expression with more than half of the votes; images without one are left out.</summary>
    Majority,

    /// <summary>
    /// Training draws a label by the votes again in every epoch (Barsoum et al. 2016, "probabilistic label drawing");
    /// elsewhere the label is the expression with the most votes.
    /// </summary>
    Soft,
}

/// <summary>Which images of a clip are read, where a data set comes with several.</summary>
public enum ClipFrames
{
    /// <summary>The best there is: faces before whole frames before videos.</summary>
    Auto,

    /// <summary>Cropped and aligned faces.</summary>
    Faces,

    /// <summary>Whole frames.</summary>
    Frames,

    /// <summary>The video files.</summary>
    Video,
}

/// <summary>
/// The doubtful choices of reading a data set, each with the value that the authors or most papers use. Opening a data
/// set reports those that apply to it.
/// </summary>
public sealed record DataChoices
{
    /// <summary>Classes of AffectNet: 8, or 7 without contempt.</summary>
    public int AffectNetClasses { get; init; } = 8;

    /// <summary>
    /// Whether AffectNet's original images are cropped to the face box of their list; usual copies hold faces already.
    /// </summary>
    public bool AffectNetFaceBox { get; init; }

    /// <summary>
    /// Added to each side of a face box, as a part of the box's own size: 0.2 makes it 1.4 times as wide and high. A
    /// model is given the same margin around the box of 'predict'.
    /// </summary>
    public float FaceMargin { get; init; }

    /// <summary>Which labels of MAFW are read.</summary>
    public MafwLabels Mafw { get; init; }

    /// <summary>How the votes of FER+ become labels.</summary>
    public FerPlusLabels FerPlus { get; init; }

    /// <summary>Which images of a clip are read.</summary>
    public ClipFrames ClipFrames { get; init; }

    /// <summary>
    /// Frames taken from the end of a CK+ sequence, where the expression is at its strongest; 0 for all.
    /// </summary>
    public int CkPlusPeakFrames { get; init; } = 3;

    /// <summary>Whether the first frame of each CK+ sequence becomes a sample of the class neutral.</summary>
    public bool CkPlusNeutral { get; init; }

    /// <summary>Clips with fewer frames are left out of every split; IAL takes 16. 0 and 1 keep all.</summary>
    public int MinFrames { get; init; }

    /// <summary>
    /// The classes and their order, by name or synonym. Empty takes those found, in alphabetical order. Lists with
    /// numbers as labels need them.
    /// </summary>
    public IReadOnlyList<string> Classes { get; init; } = [];

    /// <summary>
    /// Regular expression whose first group is the subject in a sample's name. Empty takes what comes before the first
    /// underscore or hyphen of a clip's name, and of images what their names have in common with known data sets.
    /// </summary>
    public string Subject { get; init; } = "";

    /// <summary>Folder that the paths of a list file are relative to; empty means the list's own.</summary>
    public string ImageRoot { get; init; } = "";

    /// <summary>
    /// Beginning of the paths in a list file that is replaced by <see cref="RewriteTo"/>; empty for none.
    /// </summary>
    public string RewriteFrom { get; init; } = "";

    /// <summary>The text that replaces <see cref="RewriteFrom"/>.</summary>
    public string RewriteTo { get; init; } = "";

    /// <summary>Puts these choices into <paramref name="options"/>.</summary>
    /// <exception cref="SettingsException">A value is out of range.</exception>
    public DataSetOptions Over(DataSetOptions options)
    {
        if (AffectNetClasses is not (7 or 8))
            throw new SettingsException($"affectNetClasses is 7 or 8, given was {AffectNetClasses}");
        if (!(FaceMargin is >= 0 and <= 2))
            throw new SettingsException($"faceMargin is from 0 to 2, given was {FaceMargin}");
        if (CkPlusPeakFrames < 0 || MinFrames < 0)
            throw new SettingsException("ckPlusPeakFrames and minFrames are at least 0");
        if (RewriteTo.Length > 0 && RewriteFrom.Length == 0)
            throw new SettingsException("rewriteTo is given without rewriteFrom, what it replaces");
        return options with
        {
            Choices = this,
            Classes = Classes.Count > 0 ? Classes : null,
            Subject = Subject.Length > 0 ? Expression() : null,
            ImageRoot = ImageRoot.Length > 0 ? ImageRoot : null,
            RewriteFrom = RewriteFrom.Length > 0 ? RewriteFrom : null,
            RewriteTo = RewriteFrom.Length > 0 ? RewriteTo : null,
        };
    }

    private Regex Expression()
    {
        try
        {
            // Names are short; the limit is for an expression that would never end on one of them.
            return new Regex(Subject, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
        }
        catch (ArgumentException failure)
        {
            throw new SettingsException($"subject: '{Subject}' is no regular expression ({failure.Message})", failure);
        }
    }
}
