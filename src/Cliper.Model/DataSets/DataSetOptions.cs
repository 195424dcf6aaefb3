using System.Text.RegularExpressions;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>How a data set is opened.</summary>
public sealed record DataSetOptions
{
    /// <summary>
    /// Version of the rule by which data without splits is split: 2 deals whole subjects, as far as names tell them,
    /// with regard to class; 1, of version 0.1, dealt without.
    /// </summary>
    public const int PresentSplits = 2;

    /// <summary>
    /// The version of the rule that a run was split by. Only <see cref="PresentSplits"/> can be followed: by another,
    /// samples that the run has trained on would be tested.
    /// </summary>
    public int SplitVersion { get; init; } = PresentSplits;

    /// <summary>Seed of the choice of held-out samples.</summary>
    public ulong Seed { get; init; }

    /// <summary>
    /// Part of the training samples held out for validation where the data set has no validation split; 0 for none.
    /// </summary>
    public double ValidationFraction { get; init; }

    /// <summary>
    /// Part held out for the test where the data set has no splits at all; 0 puts every sample into "train".
    /// </summary>
    public double TestFraction { get; init; } = 0.2;

    /// <summary>
    /// Number of folds (by subject) of a data set without splits, one of which is the test split; 0 takes
    /// <see cref="TestFraction"/>.
    /// </summary>
    public int Folds { get; init; }

    /// <summary>Which of the <see cref="Folds"/> is the test, from 1.</summary>
    public int Fold { get; init; } = 1;

    /// <summary>
    /// The classes and their order, by name or synonym. Null takes those found, in alphabetical order. Lists with
    /// numbers as labels need them.
    /// </summary>
    public IReadOnlyList<string>? Classes { get; init; }

    /// <summary>
    /// Finds the subject in a sample's name: the first group of the expression. Null takes what comes before the first
    /// underscore or hyphen of a clip's name, and of images what <see cref="Subjects"/> finds.
    /// </summary>
    public Regex? Subject { get; init; }

    /// <summary>Folder that the paths of a list file are relative to; null means the list's own.</summary>
    public string? ImageRoot { get; init; }

    /// <summary>Beginning of the paths in a list file that is replaced by <see cref="RewriteTo"/>.</summary>
    public string? RewriteFrom { get; init; }

    /// <summary>The text that replaces <see cref="RewriteFrom"/>.</summary>
    public string? RewriteTo { get; init; }

    /// <summary>Choices of single data sets; <see cref="DataChoices.Over"/> puts them here.</summary>
    public DataChoices Choices { get; init; } = new();

    /// <summary>
    /// Given each file that is listed and not there, or clip without frames, whose sample is then left out; null makes
    /// the first one an error.
    /// </summary>
    public Action<string>? Missing { get; init; }

    /// <summary>Decides which files are images.</summary>
    public IImageCodec Codec { get; init; } = ImageCodec.Instance;

    /// <summary>Cancels the reading of lists and folders with an <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>Whether a class without training samples is a warning, as for a check, and no error.</summary>
    internal bool AllowsEmptyClasses { get; init; }

    /// <summary>Receives what is left out.</summary>
    internal Findings Findings { get; init; } = new();

    /// <summary>Reports something that is listed and not there.</summary>
    /// <exception cref="InputException">It is an error.</exception>
    internal void ReportMissing(string message) => (Missing ?? (text => throw new InputException(text)))(message);

    /// <summary>Throws unless every value is in its range.</summary>
    /// <exception cref="SettingsException">A value is out of range.</exception>
    internal void Check()
    {
        if (!(ValidationFraction is >= 0 and < 1))
            throw new SettingsException(
                $"the validation fraction is at least 0 and below 1, given was {ValidationFraction}");
        if (!(TestFraction is >= 0 and < 1))
            throw new SettingsException($"the test fraction is at least 0 and below 1, given was {TestFraction}");
        if (Folds < 0 || Folds == 1)
            throw new SettingsException($"the number of folds is 0 (none) or at least 2, given was {Folds}");
        if (Classes is { Count: 0 })
            throw new SettingsException("the list of classes is empty");
        if (Classes?.GroupBy(Expressions.Canonical, StringComparer.OrdinalIgnoreCase).FirstOrDefault(group =>
            group.Count() > 1) is { } twice)
            throw new SettingsException($"the class {twice.Key} is given {twice.Count()} times");
        if ((RewriteFrom == null) != (RewriteTo == null))
            throw new SettingsException("rewriting paths needs both what is replaced and what replaces it");
    }
}
