using Cliper.Model.IO;
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
            throw new SettingsException($"there is no data set format '{name}'; known are {string.Join(", ", Names)}"
                + Suggestion.Hint(name, Names));
        CheckThere(path);
        try
        {
            // Recognizing leaves nothing out: only what the chosen format passes over counts.
            format ??= Formats.FirstOrDefault(candidate => candidate.Matches(path, options));
            if (format == null)
                throw new InputException(
                    $"{path}: no data set was recognized here. Found: {Folders.Describe(path)}. Expected one of: "
                    + $"{Layouts()}");
            options = options with { Findings = new Findings() };
            RawSplits raw = WithoutShort(format.Read(path, options), options.Choices.MinFrames);
            DataSetSplits splits = SplitAssembly.Assemble(path, raw, options);
            IReadOnlyList<LeftOut> left = options.Findings.LeftOut;
            return splits with
            {
                Format = format.Name,
                Notes = [.. raw.Notes, .. splits.Notes],
                Alignment = raw.Alignment,
                Warnings = [.. splits.Warnings, .. left.Count == 0 ? [] : (string[])[Say(left)]],
                LeftOut = [.. left.Select(entry => (entry.File, entry.Reason))],
            };
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the data set cannot be read ({failure.Message})", failure);
        }
    }

    /// <summary>Refuses a path where nothing is.</summary>
    /// <param name="path">A folder or file.</param>
    /// <exception cref="InputException">There is none.</exception>
    internal static void CheckThere(string path)
    {
        if (!File.Exists(path) && !Directory.Exists(path))
            throw new InputException($"{path}: no such file or folder; give the folder (or list file) of the data set"
                + (path.Contains(FileEntry.NotUtf8) ? ", whose name has to be UTF-8 text" : ""));
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

    private static string Say(IReadOnlyList<LeftOut> left) =>
        $"{left.Count} {(left.Count == 1 ? "entry" : "entries")} of the folders left out, the first: {left[0].File}: "
        + left[0].Reason;
}
