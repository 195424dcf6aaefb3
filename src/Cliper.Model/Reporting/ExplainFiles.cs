using System.Globalization;
using System.Text;
using Cliper.Model.Images;
using Cliper.Model.Interpretation;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.Reporting;

/// <summary>Writes an explanation into a folder: the page, and every table and drawing as a file of its own.</summary>
internal static class ExplainFiles
{
    /// <summary>Writes the files.</summary>
    /// <param name="folder">The folder, made when missing; files of the same names are replaced.</param>
    /// <param name="report">The content.</param>
    /// <returns>The files' names, the page first.</returns>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static IReadOnlyList<string> Write(string folder, ExplainReport report)
    {
        List<string> written = [];
        Text("report.html", ExplainPage.Render(report));
        if (report.Words.Count > 0)
            Table("words.csv", WordLines(report));
        if (report.Answers is { } answers)
        {
            Table("gallery.csv", GalleryLines(answers));
            Table("usage.csv", UsageLines(report, answers));
        }
        if (report.Similarities.Length > 0)
            Table("similarities.csv", SimilarityLines(report));
        if (report.Plane is { } plane)
        {
            Table("tsne.csv", PlaneLines(report, plane));
            Drawing("tsne", ExplainFigures.Plane(plane, report.Classes));
        }
        if (report.Traits.Count > 0)
        {
            Table("information.csv", InformationLines(report));
            Table("traits.csv", TraitLines(report));
        }
        foreach (ExplainedImage image in report.Images)
            Image($"{image.Name}.png", image.Image);
        if (report.Images.Any(image => image.Maps.Count > 0))
            Table("maps.csv", MapLines(report));
        foreach (ExplainedClip clip in report.Clips)
            Drawing($"{clip.Name}-intensity", clip.Draw(report.Classes, report.PerClass));
        if (report.Clips.Count > 0)
            Table("intensity.csv", IntensityLines(report));
        return written;

        void Drawing(string name, Figure figure)
        {
            Text($"{name}.svg", figure.Svg(alone: true));
            Image($"{name}.png", figure.Picture());
        }

        void Image(string name, RgbImage image) => Bytes(name, SkiaImageCodec.Instance.Encode(image, ImageFormat.Png));

        void Table(string name, IEnumerable<IEnumerable<object?>> lines) =>
            Text(name, string.Concat(lines.Select(line => Csv.Line(line.Select(Field)) + "\n")));

        void Text(string name, string text) => Bytes(name, Encoding.UTF8.GetBytes(text));

        void Bytes(string name, byte[] bytes)
        {
            AtomicFile.Write(Path.Combine(folder, name), stream => stream.Write(bytes));
            written.Add(name);
        }
    }

    private static string Field(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";

    private static IEnumerable<IEnumerable<object?>> WordLines(ExplainReport report)
    {
        yield return ["class", "m", "l", "kind", "rank", "token", "id", "distance", "norm", "mean_distance",
            "random_distance", "paper"];
        foreach (TokenWords word in report.Words)
            foreach ((string kind, IReadOnlyList<NearestWord> nearest) in new[] { ("all", word.Tokens),
                ("word", word.Words) })
                foreach ((int rank, NearestWord hit) in nearest.Index())
                    yield return [report.Classes[word.Class], word.Descriptor + 1, word.Token + 1, kind, rank + 1,
                        hit.Word, hit.Id, hit.Distance, word.Norm, word.MeanDistance, word.RandomDistance,
                        PaperWords.At(report.Classes[word.Class], word.Descriptor, word.Token)];
    }

    private static IEnumerable<IEnumerable<object?>> GalleryLines(DescriptorAnswers answers)
    {
        yield return ["file", "label", "predicted", "m", "cosine", "margin"];
        DataSplit split = answers.Split;
        foreach (DescriptorAnswer answer in answers.Answers)
            yield return [split.Samples[answer.Index].Name, split.Classes[answer.Label],
                split.Classes[answer.Predicted], answer.Descriptor + 1, answer.Cosine, answer.Margin];
    }

    private static IEnumerable<IEnumerable<object?>> UsageLines(ExplainReport report, DescriptorAnswers answers)
    {
        yield return ["class", "m", "samples", "right"];
        foreach ((int label, string name) in report.Classes.Index())
            for (int m = 0; m < report.PerClass; m++)
            {
                DescriptorAnswer[] own = [.. answers.Answers.Where(answer => answer.Label == label
                    && answer.Descriptor == m)];
                yield return [name, m + 1, own.Length, own.Count(answer => answer.IsRight)];
            }
    }

    private static IEnumerable<IEnumerable<object?>> SimilarityLines(ExplainReport report)
    {
        int count = report.Classes.Count * report.PerClass;
        yield return ["class", "m", "other_class", "other_m", "cosine"];
        for (int row = 0; row < count; row++)
            for (int column = 0; column < count; column++)
                yield return [report.Classes[row / report.PerClass], row % report.PerClass + 1,
                    report.Classes[column / report.PerClass], column % report.PerClass + 1,
                    report.Similarities[row * count + column]];
    }

    private static IEnumerable<IEnumerable<object?>> PlaneLines(ExplainReport report, FeaturePlane plane)
    {
        yield return ["kind", "file", "class", "m", "right", "x", "y"];
        foreach (PlanePoint point in plane.Points)
            yield return [point.Name is null ? "descriptor" : "sample", point.Name, report.Classes[point.Label],
                point.Descriptor + 1, point.Name is null ? null : point.IsRight ? 1 : 0, point.X, point.Y];
    }

    private static IEnumerable<IEnumerable<object?>> InformationLines(ExplainReport report)
    {
        yield return ["trait", "class", "samples", "bits", "entropy", "shuffled_mean", "shuffled_95", "percentile"];
        foreach (TraitResult trait in report.Traits)
            yield return [trait.Trait.Name, trait.Class ?? "all", trait.Samples, trait.Information.Bits,
                trait.Information.Entropy, trait.Information.Shuffled, trait.Information.Limit,
                100 * trait.Information.Percentile];
    }

    private static IEnumerable<IEnumerable<object?>> TraitLines(ExplainReport report)
    {
        yield return ["trait", "class", "part", "m", "samples"];
        foreach (TraitResult trait in report.Traits)
            foreach ((int part, int[] counts) in trait.Counts.Index())
                foreach ((int m, int count) in counts.Index())
                    yield return [trait.Trait.Name, trait.Class, trait.Trait.Parts[part], m + 1, count];
    }

    private static IEnumerable<IEnumerable<object?>> MapLines(ExplainReport report)
    {
        yield return ["file", "face", "time", "class", "method", "row", "column", "value"];
        foreach (NamedMap map in report.Images.SelectMany(image => image.Maps))
            for (int at = 0; at < map.Map.Values.Length; at++)
                yield return [map.File, map.Face, map.Time, map.Class, map.Method, at / map.Map.Side, at % map.Map.Side,
                    map.Map.Values[at]];
    }

    private static IEnumerable<IEnumerable<object?>> IntensityLines(ExplainReport report)
    {
        yield return ["file", "time", "class", "m", "cosine"];
        foreach (ExplainedClip clip in report.Clips)
            foreach ((double time, float[] cosines) in clip.Rows)
                for (int at = 0; at < cosines.Length; at++)
                    yield return [clip.File, time, report.Classes[at / report.PerClass], at % report.PerClass + 1,
                        cosines[at]];
    }
}
