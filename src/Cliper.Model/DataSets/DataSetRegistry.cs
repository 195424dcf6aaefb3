using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>Opens every data set that the program knows.</summary>
public static class DataSetRegistry
{
    // The order is that of recognition: what has unmistakable files first, folders of anything last.
    private static readonly IDataSetFormat[] Formats =
    [
        new RafDb(), new AffectNet(), new Dfew(), new Ferv39k(), new Mafw(), new Afew(), new Fer2013(), new FerPlus(),
        new CkPlus(),
        new ListFiles(), new Clips(), new FolderPerClass(),
    ];

    /// <summary>"auto" and the names of the formats.</summary>
    public static IReadOnlyList<string> Names { get; } = [Auto, .. Formats.Select(format => format.Name)];

    private const string Auto = "auto";

    /// <summary>Opens a data set.</summary>
    /// <param name="path">A folder or file.</param>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="options">How to open it; null for the defaults.</param>
    /// <exception cref="InputException">The files are not there, damaged, or not in the expected layout.</exception>
    /// <exception cref="SettingsException">The name is unknown, or an option out of range.</exception>
    public static DataSetSplits Open(string path, string name = Auto, DataSetOptions? options = null)
    {
        options ??= new DataSetOptions();
        options.Check();
        IDataSetFormat? format = Formats.FirstOrDefault(format => format.Name == name);
        if (format == null && name != Auto)
            throw new SettingsException($"there is no data set format '{name}'; known are {string.Join(", ", Names)}");
        if (!File.Exists(path) && !Directory.Exists(path))
            throw new InputException($"{path}: no such file or folder; give the folder (or list file) of the data set");
        try
        {
            format ??= Formats.FirstOrDefault(candidate => candidate.Matches(path, options));
            if (format == null)
                throw new InputException(
                    $"{path}: no data set was recognized here. Found: {Folders.Describe(path)}. Expected one of: "
                    + $"{Layouts()}");
            RawSplits raw = WithoutShort(format.Read(path, options), options.Choices.MinFrames);
            return Assemble(path, raw, options) with
            {
                Format = format.Name,
                Notes = raw.Notes,
                Alignment = raw.Alignment
            };
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the data set cannot be read ({failure.Message})", failure);
        }
    }

    /// <summary>The layouts of the formats, for an error of one line.</summary>
    public static string Layouts() => string.Join(" | ", Formats.Select(format => $"{format.Name}: {format.Layout}"));

    private static RawSplits WithoutShort(RawSplits raw, int minFrames)
    {
        if (minFrames <= 1)
            return raw;
        int before = raw.All.Sum(samples => samples.Count);
        RawSplits kept = raw with
        {
            Train = Long(raw.Train)!,
            Validation = Long(raw.Validation),
            Test = Long(raw.Test)
        };
        int dropped = before - kept.All.Sum(samples => samples.Count);
        return kept with
        {
            Notes = [.. raw.Notes,
                $"{dropped} of {before} samples have fewer than {minFrames} frames and are left out (minFrames)"],
        };

        IReadOnlyList<RawSample>? Long(IReadOnlyList<RawSample>? samples) =>
            samples == null ? null : [.. samples.Where(sample => sample.Frames.Count >= minFrames)];
    }

    private static DataSetSplits Assemble(string path, RawSplits raw, DataSetOptions options)
    {
        string[] classes = ClassNames(path, raw, options);
        DataSplit train = Split("train", raw.Train, classes, path);
        DataSplit? validation = raw.Validation == null ? null : Split("validation", raw.Validation, classes, path);
        DataSplit? test = raw.Test == null ? null : Split("test", raw.Test, classes, path);
        if (validation == null && test == null)
        {
            if (options.Folds > 0)
                (train, test) = train.Fold(options.Folds, options.Fold, options.Seed);
            else if (options.TestFraction > 0)
                (train, test) = train.HoldOut(options.TestFraction, options.Seed, "test");
        }
        if (validation == null && options.ValidationFraction > 0)
            (train, validation) = train.HoldOut(options.ValidationFraction, options.Seed);
        if (train.CountByClass() is var counts && Array.IndexOf(counts, 0) is var empty and >= 0)
            throw new InputException(
                $"{path}: the class {classes[empty]} has no training samples; add some, or leave the class out");
        return new DataSetSplits(train, validation, test);
    }

    private static string[] ClassNames(string path, RawSplits raw, DataSetOptions options)
    {
        if (options.Classes != null)
            return [.. options.Classes.Select(Expressions.Canonical)];
        string[] classes =
            [.. raw.All.SelectMany(samples => samples).Select(sample => Expressions.Canonical(sample.Class))
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
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
