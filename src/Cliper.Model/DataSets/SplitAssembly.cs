using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>Makes splits with numbered labels of what a format has read, and holds parts out where there are
/// none.</summary>
internal static class SplitAssembly
{
    /// <summary>The splits, with a note on how they were made and a warning for each doubtful thing.</summary>
    /// <param name="path">The data set, for errors.</param>
    /// <param name="raw">Its samples.</param>
    /// <param name="options">How it is split.</param>
    /// <exception cref="InputException">A class has no training samples, or a split no samples.</exception>
    public static DataSetSplits Assemble(string path, RawSplits raw, DataSetOptions options)
    {
        var notes = new List<string>();
        List<string> warnings = [.. ClassLabels.Warnings(raw)];
        string[] classes = ClassNames(path, raw, options);
        bool splits = raw is { Validation: null, Test: null } && (options.Folds > 0 || options.TestFraction > 0)
            || raw.Validation == null && options.ValidationFraction > 0;
        if (splits && options.SplitVersion != DataSetOptions.PresentSplits)
            throw new InputException($"{path}: the run was begun by a version of this program that split data without "
                + "splits in another way, so that samples it has trained on would be tested: train again, or give the "
                + "data splits of its own");
        raw = raw with { Train = WithSubjects(raw.Train, options, splits ? notes : []) };
        DataSplit train = Split("train", raw.Train, classes, path);
        DataSplit? validation = raw.Validation == null ? null : Split("validation", raw.Validation, classes, path);
        DataSplit? test = raw.Test == null ? null : Split("test", raw.Test, classes, path);
        int[] before = train.CountByClass();
        if (validation == null && test == null)
        {
            if (options.Folds > 0)
                (train, test) = train.Fold(options.Folds, options.Fold, options.Seed);
            else if (options.TestFraction > 0)
                (train, test) = train.HoldOut(options.TestFraction, options.Seed, "test");
            warnings.AddRange(Unsplit(train, test, before));
        }
        if (validation == null && options.ValidationFraction > 0)
        {
            before = train.CountByClass();
            (train, validation) = train.HoldOut(options.ValidationFraction, options.Seed);
            warnings.AddRange(Unsplit(train, validation, before));
        }
        if (train.CountByClass() is var counts && Array.IndexOf(counts, 0) is var empty and >= 0)
        {
            string fault = $"the class {classes[empty]} has no training samples{ClassLabels.Hint(classes[empty])}";
            if (!options.AllowsEmptyClasses)
                throw new InputException($"{path}: {fault}; add some, or leave the class out");
            warnings.Add(fault);
        }
        return new DataSetSplits(train, validation, test) { Notes = notes, Warnings = warnings };
    }

    /// <summary>The samples with their subjects where names tell them, and a note on that.</summary>
    private static IReadOnlyList<RawSample> WithSubjects(IReadOnlyList<RawSample> samples, DataSetOptions options,
        List<string> notes)
    {
        if (options.Subject is not null || samples.Any(sample => sample.Group is not null || sample.Frames.Count > 1
            || sample.Frames[0] is not FileFrame))
            return samples;
        if (Subjects.Find(samples, Math.Max(2, options.Folds)) is not { } subjects)
        {
            notes.Add("the names carry no subject: pictures of one person may stand on both sides of the split "
                + "(subject)");
            return samples;
        }
        notes.Add($"split by subject, {subjects.Values.Distinct().Count()} of them by the names of pictures (subject)");
        return [.. samples.Select(sample => sample with { Group = subjects.GetValueOrDefault(sample.Name) })];
    }

    /// <summary>A sentence for each class that a held-out part has no sample of.</summary>
    private static IEnumerable<string> Unsplit(DataSplit train, DataSplit? held, int[] before)
    {
        int[] counts = held?.CountByClass() ?? before;
        for (int label = 0; label < counts.Length; label++)
            if (counts[label] == 0 && before[label] > 0)
            {
                int subjects = train.Samples.Where(sample => sample.Label == label && sample.Group is not null)
                    .Select(sample => sample.Group).Distinct().Count();
                string few = before[label] == 1 ? "1 sample" : $"{before[label]} samples"
                    + (subjects == 1 ? " of one subject" : subjects > 1 ? $" of {subjects} subjects" : "");
                yield return $"the {held!.Name} split has no samples of {train.Classes[label]}: the class has {few}, "
                    + "which stay in training";
            }
    }

    private static string[] ClassNames(string path, RawSplits raw, DataSetOptions options)
    {
        if (options.Classes != null)
            return [.. options.Classes.Select(Expressions.Canonical)];
        string[] classes = ClassLabels.Of(raw);
        if (classes.Length < 2)
            throw new InputException(
                $"{path}: {(classes.Length == 0 ? "no pictures" : $"only the class {classes[0]}")} found, expected "
                + "pictures of at least two classes");
        return classes;
    }

    private static DataSplit Split(string name, IReadOnlyList<RawSample> samples, string[] classes, string path)
    {
        if (samples.Count == 0)
            throw new InputException(
                $"{path}: the {name} split has no pictures; add some, or remove its folder or rows");
        var labels = classes.Select((label, index) => (label, index)).ToDictionary(pair => pair.label, pair =>
            pair.index, StringComparer.OrdinalIgnoreCase);
        var result = new List<Sample>(samples.Count);
        foreach (RawSample sample in samples)
        {
            if (!labels.TryGetValue(Expressions.Canonical(sample.Class), out int label))
                throw new InputException(
                    $"{sample.Where}: unknown class '{sample.Class}'; the classes are {string.Join(", ", classes)}");
            result.Add(new Sample(sample.Name, label, sample.Frames, sample.Group, VotesOf(sample, labels)));
        }
        return new DataSplit(name, classes, result);
    }

    /// <summary>Votes by label; those for classes that are left out count for nobody.</summary>
    private static float[]? VotesOf(RawSample sample, Dictionary<string, int> labels)
    {
        if (sample.Votes == null)
            return null;
        var votes = new float[labels.Count];
        foreach ((string name, float share) in sample.Votes)
            if (labels.TryGetValue(Expressions.Canonical(name), out int label))
                votes[label] += share;
        float sum = votes.Sum();
        return [.. votes.Select(share => share / sum)];
    }
}
