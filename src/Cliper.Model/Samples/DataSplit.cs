using Cliper.Kernels.Operations;

namespace Cliper.Model.Samples;

/// <summary>Samples that are used together, such as a training set.</summary>
public sealed class DataSplit
{
    /// <summary>A split.</summary>
    /// <exception cref="ArgumentException">A label is outside the classes, or a sample has no frame.</exception>
    public DataSplit(string name, IReadOnlyList<string> classes, IReadOnlyList<Sample> samples)
    {
        foreach (Sample sample in samples)
        {
            if ((uint)sample.Label >= (uint)classes.Count)
                throw new ArgumentException(
                    $"{sample.Name} has label {sample.Label} of {classes.Count} classes", nameof(samples));
            if (sample.Frames.Count == 0)
                throw new ArgumentException($"{sample.Name} has no frame", nameof(samples));
        }
        (Name, Classes, Samples) = (name, classes, samples);
    }

    /// <summary>"train", "validation" or "test".</summary>
    public string Name { get; }

    /// <summary>
    /// Class names in the order of the labels: canonical names of expressions, in alphabetical order.
    /// </summary>
    public IReadOnlyList<string> Classes { get; }

    /// <summary>The samples, in an order that depends on the files alone.</summary>
    public IReadOnlyList<Sample> Samples { get; }

    /// <summary>Whether some sample has more than one frame.</summary>
    public bool IsVideo => Samples.Any(sample => sample.Frames.Count > 1);

    /// <summary>Samples of each class.</summary>
    public int[] CountByClass()
    {
        var counts = new int[Classes.Count];
        foreach (Sample sample in Samples)
            counts[sample.Label]++;
        return counts;
    }

    /// <summary>
    /// The same samples with labels that index <paramref name="classes"/>, matched by name (synonyms of expressions
    /// too).
    /// </summary>
    /// <exception cref="InputException">A class that has samples is not among them.</exception>
    public DataSplit WithClasses(IReadOnlyList<string> classes)
    {
        int[] map = [.. Classes.Select(name => Expressions.IndexOf(classes, name))];
        int[] counts = CountByClass();
        string[] unknown = [.. Classes.Where((_, label) => map[label] < 0 && counts[label] > 0)];
        if (unknown.Length > 0)
            throw new InputException(
                $"{Name} has samples of {string.Join(", ", unknown)}, but the classes are "
                + $"{string.Join(", ", classes)}; leave these samples out, or use a model of these classes");
        return new DataSplit(Name, classes,
            [.. Samples.Select(sample => sample with { Label = map[sample.Label], Votes = VotesBy(sample.Votes) })]);

        IReadOnlyList<float>? VotesBy(IReadOnlyList<float>? votes)
        {
            if (votes == null)
                return null;
            var mapped = new float[classes.Count];
            for (int label = 0; label < votes.Count; label++)
                if (votes[label] > 0 && map[label] >= 0)
                    mapped[map[label]] = votes[label];
            float sum = mapped.Sum();
            return [.. mapped.Select(share => share / sum)];
        }
    }

    /// <summary>
    /// Splits in two: about <paramref name="fraction"/> of each class is held out, whole groups where samples have
    /// groups. The same seed holds out the same samples, whatever their order. A group that alone has a class stays.
    /// </summary>
    /// <param name="fraction">Part to hold out, above 0 and below 1.</param>
    /// <param name="seed">Seed of the choice.</param>
    /// <param name="heldName">Name of the held-out part.</param>
    public (DataSplit Kept, DataSplit Held) HoldOut(double fraction, ulong seed, string heldName = "validation")
    {
        if (!(fraction is > 0 and < 1))
            throw new SettingsException($"a held-out part is above 0 and below 1, given was {fraction}");
        return Without(Samples.Any(sample => sample.Group != null)
            ? new StratifiedGroups(Samples, Classes.Count, seed).HoldOut(fraction)
            : HoldSamples(fraction, seed), heldName);
    }

    /// <summary>
    /// Divides whole groups (subjects) into <paramref name="folds"/> folds of about equal size, in which each class is
    /// divided about equally, and returns fold <paramref name="fold"/> as the held-out part. A sample without a group
    /// is its own. A group that alone has a class is in no fold, so that every fold can be trained.
    /// </summary>
    /// <param name="folds">Number of folds, at least 2.</param>
    /// <param name="fold">Index of the held-out fold, from 1.</param>
    /// <param name="seed">Seed of the order in which groups are assigned.</param>
    /// <param name="heldName">Name of the held-out part.</param>
    public (DataSplit Kept, DataSplit Held) Fold(int folds, int fold, ulong seed, string heldName = "test")
    {
        var groups = new StratifiedGroups(Samples, Classes.Count, seed);
        if (folds < 2 || folds > groups.Count)
            throw new SettingsException(
                $"the number of folds is from 2 to the {groups.Count} subjects, given was {folds}");
        if (fold < 1 || fold > folds)
            throw new SettingsException($"the fold is from 1 to {folds}, given was {fold}");
        return Without(groups.Fold(folds, fold), heldName);
    }

    private (DataSplit Kept, DataSplit Held) Without(HashSet<string> held, string heldName) =>
        (new DataSplit(Name, Classes, [.. Samples.Where(sample => !held.Contains(sample.Name))]),
        new DataSplit(heldName, Classes, [.. Samples.Where(sample => held.Contains(sample.Name))]));

    private HashSet<string> HoldSamples(double fraction, ulong seed)
    {
        var held = new HashSet<string>();
        foreach (IGrouping<int, Sample> samples in Samples.GroupBy(sample => sample.Label).OrderBy(group => group.Key))
        {
            string[] names = [.. samples.Select(sample => sample.Name).Order(StringComparer.Ordinal)];
            var random = new RandomStream(seed, RandomPurpose.Split, 0, (uint)samples.Key);
            random.Shuffle(names.AsSpan());
            int count = (int)Math.Round(names.Length * fraction, MidpointRounding.AwayFromZero);
            count = Math.Clamp(count, names.Length > 1 ? 1 : 0, Math.Max(0, names.Length - 1));
            held.UnionWith(names.Take(count));
        }
        return held;
    }
}

/// <summary>The splits of an opened data set.</summary>
/// <param name="Train">Samples to learn from.</param>
/// <param name="Validation">Samples to choose settings and epochs by, if there are any.</param>
/// <param name="Test">Samples to measure the final result on, if there are any.</param>
public sealed record DataSetSplits(DataSplit Train, DataSplit? Validation, DataSplit? Test)
{
    /// <summary>
    /// Name of the layout, as the registry of data sets names it; empty for data made by the program.
    /// </summary>
    public string Format { get; init; } = "";

    /// <summary>One sentence for each choice made in reading the data set, and for all that was left out.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>One sentence for each thing that looks like a mistake in the data.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Entries of folders that are no part of the data, and why.</summary>
    public IReadOnlyList<(string File, string Reason)> LeftOut { get; init; } = [];

    /// <summary>How the images show their faces.</summary>
    public FaceAlignment Alignment { get; init; }

    /// <summary>A split by its name: "train", "validation" or "test".</summary>
    /// <exception cref="SettingsException">There is no such split.</exception>
    public DataSplit this[string name] =>
        name switch
        {
            "train" => Train,
            "validation" => Validation,
            "test" => Test,
            _ => null,
        } ?? throw new SettingsException(
            $"there is no split '{name}'; the data set has {string.Join(", ", All.Select(split => split.Name))}");

    /// <summary>The splits that there are.</summary>
    public IEnumerable<DataSplit> All => new[] { Train, Validation, Test }.OfType<DataSplit>();
}
