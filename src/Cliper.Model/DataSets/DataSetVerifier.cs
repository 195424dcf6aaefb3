using System.Collections.Concurrent;
using System.Globalization;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>Something that is wrong with a data set, and what to do about it.</summary>
/// <param name="What">The fault, in one sentence.</param>
/// <param name="Remedy">The remedy, in one sentence.</param>
public sealed record DataProblem(string What, string Remedy);

/// <summary>A class of a split.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Found">Samples there are.</param>
/// <param name="Expected">Samples the published data set has; null where that is not known.</param>
public sealed record ClassCount(string Name, int Found, int? Expected);

/// <summary>A split in numbers.</summary>
/// <param name="Name">"train", "validation" or "test"; "all" where only their sum is known.</param>
/// <param name="Found">Samples there are.</param>
/// <param name="Expected">Samples the published data set has; null where that is not known.</param>
/// <param name="Classes">Each class.</param>
/// <param name="Frames">Least, median and most frames of a sample; null for images.</param>
/// <param name="ShortClips">Samples with fewer than 16 frames; 0 for images.</param>
public sealed record SplitCount(string Name, int Found, int? Expected, IReadOnlyList<ClassCount> Classes,
    (int Least, int Median, int Most)? Frames, int ShortClips);

/// <summary>The result of checking a data set.</summary>
/// <param name="Format">Name of the layout.</param>
/// <param name="Notes">One sentence for each choice made in reading.</param>
/// <param name="Splits">The numbers.</param>
/// <param name="Missing">One sentence for each file that is listed and not there.</param>
/// <param name="Unreadable">Images that cannot be decoded, a sentence each.</param>
/// <param name="Copies">Exact copies within a split: the names of each group.</param>
/// <param name="Across">Images that two splits have in common.</param>
/// <param name="Problems">The faults, summed up; empty when there are none.</param>
public sealed record DataSetReport(string Format, IReadOnlyList<string> Notes, IReadOnlyList<SplitCount> Splits,
    IReadOnlyList<string> Missing,
    IReadOnlyList<string> Unreadable, IReadOnlyList<(string Split, IReadOnlyList<string> Names)> Copies,
    IReadOnlyList<DuplicateReport> Across, IReadOnlyList<DataProblem> Problems)
{
    /// <summary>One sentence for each thing that looks like a mistake.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Entries of folders that are no part of the data, and why.</summary>
    public IReadOnlyList<(string File, string Reason)> LeftOut { get; init; } = [];
}

/// <summary>Checks a data set from its lists to the last pixel.</summary>
public static class DataSetVerifier
{
    /// <summary>Frames that the usual samplers take of a clip.</summary>
    private const int UsualFrames = 16;

    /// <summary>Runs the check.</summary>
    /// <param name="path">Folder or file.</param>
    /// <param name="dataSet">One of <see cref="DataSetRegistry.Names"/>.</param>
    /// <param name="options">How to open it; its Missing is set here.</param>
    /// <param name="images">Whether every image is decoded, and copies are sought.</param>
    /// <param name="threads">Threads to use; 0 for one a core.</param>
    /// <param name="progress">Receives the name of each step.</param>
    /// <param name="cancellation">Cancels it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">The data set cannot be read at all.</exception>
    public static DataSetReport Run(string path, string dataSet, DataSetOptions options, bool images, int threads = 0,
        IProgress<string>? progress = null, CancellationToken cancellation = default)
    {
        var missing = new List<string>();
        options = options with
        {
            Missing = missing.Add,
            AllowsEmptyClasses = true,
            TestFraction = 0,
            Folds = 0,
            ValidationFraction = 0,
            Cancellation = cancellation,
        };
        progress?.Report("reading the lists");
        DataSetSplits splits = DataSetRegistry.Open(path, dataSet, options);
        SplitCount[] counts = [.. Counts(splits, ExpectedCounts.Of(splits.Format, options.Choices, options.Fold))];
        List<DataProblem> problems = [.. counts.SelectMany(Differences)];
        if (missing.Count > 0)
            problems.Add(new DataProblem(Number(missing.Count, "listed sample")
                + $" not there, the first: {missing[0]}",
                "unpack the archives again into the same folder; lists and pictures must be of one version"));
        if (!images)
            return new DataSetReport(splits.Format, splits.Notes, counts, missing, [], [], [], problems)
            {
                Warnings = splits.Warnings,
                LeftOut = splits.LeftOut,
            };
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = threads == 0 ? Environment.ProcessorCount : threads,
            CancellationToken = cancellation,
        };
        string[] unreadable = Unreadable(splits, options.Codec, parallel, progress);
        if (unreadable.Length > 0)
            problems.Add(new DataProblem(Number(unreadable.Length, "picture")
                + $" cannot be decoded, the first: {unreadable[0]}",
                "get these files again, or remove them; training leaves them out unless it is strict"));
        List<(string Split, IReadOnlyList<string> Names)> copies = [];
        List<DuplicateReport> across = [];
        DataSplit[] all = [.. splits.All];
        var prints = new ImagePrints
        {
            Progress = (work, fraction) => progress?.Report(Share(work, fraction)),
        };
        for (int i = 0; i < all.Length; i++)
        {
            progress?.Report($"copies within {all[i].Name}");
            copies.AddRange(DuplicateFinder.ExactWithin(all[i], threads, options.Codec, prints, cancellation)
                .Select(group =>
                (all[i].Name, (IReadOnlyList<string>)[.. group.Select(index => all[i].Samples[index].Name)])));
            for (int j = i + 1; j < all.Length; j++)
            {
                progress?.Report($"copies of {all[i].Name} in {all[j].Name}");
                across.Add(DuplicateFinder.Find(all[i], all[j], threads: threads, codec: options.Codec, prints: prints,
                    cancellation: cancellation));
            }
        }
        if (copies.Count > 0)
            problems.Add(new DataProblem(Number(copies.Count, "group")
                + $" of exact copies within a split, the first, in {copies[0].Split}: "
                + string.Join(", ", copies[0].Names.Take(3)),
                "remove all but one of each group if the data is your own; they weigh double in training"));
        foreach (DuplicateReport report in across.Where(report => report.Pairs.Count > 0))
            problems.Add(new DataProblem(report.ToString(),
                "training leaves out its side of each pair (dropDuplicates, the default); between validation and "
                + "test there is no remedy but to say so"));
        return new DataSetReport(splits.Format, splits.Notes, counts, missing, unreadable, copies, across, problems)
        {
            Warnings = splits.Warnings,
            LeftOut = splits.LeftOut,
        };
    }

    private static string Share(string work, double fraction) =>
        string.Create(CultureInfo.InvariantCulture, $"{work}: {100 * fraction:F0} %");

    private static IEnumerable<SplitCount> Counts(DataSetSplits splits, IReadOnlyList<ExpectedCounts.Count> expected)
    {
        ILookup<string, ExpectedCounts.Count> known = expected.ToLookup(count => count.Split);
        foreach (DataSplit split in splits.All)
            yield return Count(split.Name, split.Classes, split.Samples, known[split.Name]);
        foreach (IGrouping<string, ExpectedCounts.Count> counts in known.Where(counts =>
            splits.All.All(split => split.Name != counts.Key)))
            yield return Count(counts.Key, splits.Train.Classes, counts.Key == "all"
            ? [.. splits.All.SelectMany(split => split.Samples)] : [], counts);
    }

    private static SplitCount Count(string name, IReadOnlyList<string> classes, IReadOnlyList<Sample> samples,
        IEnumerable<ExpectedCounts.Count> known)
    {
        int[] lengths = [.. samples.Select(sample => sample.Frames.Count).Order()];
        bool video = lengths.Length > 0 && lengths[^1] > 1;
        ILookup<int, Sample> byLabel = samples.ToLookup(sample => sample.Label);
        // Where several copies are in use, the nearest one counts.
        ExpectedCounts.Count? expected = known.MinBy(count => classes.Select((name, label) =>
            Math.Abs(byLabel[label].Count() - count.Classes.GetValueOrDefault(name, 0))).Sum());
        IEnumerable<string> absent = expected?.Classes.Keys.Where(name =>
            !classes.Contains(name, StringComparer.OrdinalIgnoreCase)) ?? [];
        ClassCount[] counts =
        [
            .. classes.Select((name, label) => new ClassCount(name, byLabel[label].Count(),
            expected?.Classes.GetValueOrDefault(name, 0))),
            .. absent.Select(name => new ClassCount(name, 0, expected!.Classes[name])),
        ];
        return new SplitCount(name, samples.Count, expected?.Total, counts,
            video ? (lengths[0], lengths[lengths.Length / 2], lengths[^1]) : null, video
            ? lengths.Count(length => length < UsualFrames) : 0);
    }

    private static IEnumerable<DataProblem> Differences(SplitCount count)
    {
        if (count.Found == count.Expected && count.Classes.All(entry => entry.Expected is null
            || entry.Found == entry.Expected))
            yield break;
        if (count.Expected is not { } expected)
            yield break;
        string classes = string.Join(", ", count.Classes.Where(entry => entry.Expected is { } wanted
            && wanted != entry.Found)
            .Select(entry => $"{entry.Name} {entry.Found} of {entry.Expected}"));
        yield return new DataProblem($"{count.Name}: {count.Found} samples, the published data set has {expected}"
            + (classes.Length > 0 ? $" ({classes})" : ""),
            "unpack the archives again, or say with the result which part of the data it was measured on");
    }

    /// <summary>Decodes every image.</summary>
    private static string[] Unreadable(DataSetSplits splits, IImageCodec codec, ParallelOptions parallel,
        IProgress<string>? progress)
    {
        const int Told = 5000;
        Frame[] frames = [.. splits.All.SelectMany(split => split.Samples).SelectMany(sample => sample.Frames)];
        var unreadable = new ConcurrentBag<string>();
        int done = 0;
        Parallel.ForEach(frames, parallel, frame =>
        {
            try
            {
                frame.Load(codec);
            }
            catch (InputException failure)
            {
                unreadable.Add(failure.Message);
            }
            if (Interlocked.Increment(ref done) is var count && count % Told == 0)
                progress?.Report(string.Create(CultureInfo.InvariantCulture,
                    $"decoding: {count} of {frames.Length} pictures"));
        });
        return [.. unreadable.Order(StringComparer.Ordinal)];
    }

    private static string Number(int count, string what) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {what}{(count == 1 ? "" : "s")}");
}
