using System.Globalization;
using Cliper.Model.Images;
using Cliper.Model.Interpretation;
using Cliper.Model.Metrics;

namespace Cliper.Model.Reporting;

/// <summary>The page of <see cref="ExplainReport"/>: it needs nothing but itself, and follows light and dark.</summary>
internal static class ExplainPage
{
    private const int WordsShown = 3;

    private static readonly string[] TraitColumns =
        ["trait", "class", "samples", "bits", "of", "shuffled", "95 % limit", "percentile"];

    /// <summary>The page.</summary>
    public static string Render(ExplainReport report) => HtmlReport.Page(report.Title,
        HtmlReport.Header(report.Title, report.Subtitle), Html.Of($"""
        {(report.Notes.Count == 0 ? Html.Empty : Html.Of($"""
        <ul class="notes">{report.Notes.Select(note => Html.Of($"""<li class="note">{note}</li>"""))}</ul>
        """))}
        {Images(report)}
        {Clips(report)}
        {HtmlReport.Descriptors(report.Descriptors)}
        {Usage(report)}
        {Traits(report)}
        {Plane(report)}
        {Similarities(report)}
        {Words(report)}
        """), Html.Of($"""
        <footer>Written by cliper-gpu on {report.Created.ToUniversalTime():yyyy-MM-dd HH:mm} UTC.</footer>

        """));

    private static Html Images(ExplainReport report) => report.Images.Count == 0 ? Html.Empty : Html.Of($"""
        <section><h2>Maps</h2>
        <p class="hint">Bright patches count most, each map from its own least to its own largest value. A rollout shows
        where the attention comes from, whatever the class; relevance and gradient belong to the class that is named.
        A map says what moved the score, not why, and not that the model is right.</p>
        <div class="maps">{report.Images.Select(image => Html.Of(
            $"""<figure><figcaption>{image.Caption}</figcaption><img src="{DataUri(image.Image)}" alt="{image.Caption}"></figure>"""))}</div></section>
        """);

    private static Html Clips(ExplainReport report) => report.Clips.Count == 0 ? Html.Empty : Html.Of($"""
        <section><h2>Intensity over time</h2>
        <p class="hint">The cosine of each frame with the descriptors of a class: how far its feature points along
        each.</p>
        {report.Clips.Select(clip => Html.Of(
            $"""<h3>{clip.File}: {clip.Class}</h3>{new Html(clip.Draw(report.Classes, report.PerClass).Svg(alone: false))}"""))}</section>
        """);

    private static Html Usage(ExplainReport report)
    {
        if (report.Answers is not { } answers || report.PerClass < 2)
            return Html.Empty;
        IReadOnlyList<long[]> counts = answers.Counts(report.PerClass);
        return Html.Of($"""
            <section><h2>Use of the descriptors</h2>
            <p class="hint">Samples of each class by their nearest own descriptor, right or wrong. The perplexity is the
            number of descriptors in use, were they used alike: 1 where one alone is used, {report.PerClass} where all
            are.</p>
            <div class="scroll"><table class="classes"><thead><tr><th scope="col">class</th>{Enumerable.Range(1,
            report.PerClass).Select(m => Html.Of($"""<th scope="col">{m}</th>"""))}<th scope="col">perplexity</th></tr></thead>
            <tbody>{counts.Select((row, label) => Html.Of(
                $"""<tr><th scope="row">{report.Classes[label]}</th>{row.Select(count => Html.Of($"""<td class="bar" style="--share:{100.0 * count / Math.Max(1, row.Sum()):0.#}%">{count:#,0}</td>"""))}<td>{DescriptorUsage.PerplexityOf(row):0.00}</td></tr>"""))}</tbody></table></div></section>
            """);
    }

    private static Html Traits(ExplainReport report) => report.Traits.Count == 0 ? Html.Empty : Html.Of($"""
        <section><h2>What the descriptors tell</h2>
        <p class="hint">Mutual information of the nearest own descriptor and a trait that is known of every sample, in
        bits, within the class. Finite samples have some by chance: beside it stand the mean and the 95th percentile of
        {report.Shuffles:#,0} shuffles of the trait, and the share of them that are below the measured value. Where a class uses one descriptor, nothing
        can be told.</p>
        <div class="scroll"><table class="classes"><thead><tr>{TraitColumns.Select(name => Html.Of($"""<th scope="col">{name}</th>"""))}</tr></thead>
        <tbody>{report.Traits.Select(trait => Html.Of(
            $"""<tr><th scope="row">{trait.Trait.Name}</th><td>{trait.Class ?? "all"}</td><td>{trait.Samples:#,0}</td><td>{trait.Information.Bits:0.0000}</td><td>{trait.Information.Entropy:0.000}</td><td>{trait.Information.Shuffled:0.0000}</td><td>{trait.Information.Limit:0.0000}</td><td>{100 * trait.Information.Percentile:0.0} %</td></tr>"""))}</tbody></table></div></section>
        """);

    private static Html Plane(ExplainReport report) => report.Plane is not { } plane ? Html.Empty : Html.Of($"""
        <section><h2>Features in the plane</h2>
        <p class="hint">t-SNE of the features of samples and descriptors. Images and texts lie apart in CLIP's space, so the
        mean of either side is taken away first. Neighbors are neighbors; distances of far groups and their sizes mean
        nothing. Divergence {plane.Divergence:0.000}.</p>
        {new Html(ExplainFigures.Plane(plane, report.Classes).Svg(alone: false))}</section>
        """);

    private static Html Similarities(ExplainReport report)
    {
        if (report.Similarities.Length == 0)
            return Html.Empty;
        int count = report.Classes.Count * report.PerClass;
        return Html.Of($"""
            <section><h2>Descriptors beside each other</h2>
            <p class="hint">Cosines between the features of all descriptors, from the least of them (pale) to 1
            (full).</p>
            <div class="scroll"><table class="heat"><tbody>{Enumerable.Range(0, count).Select(row => Html.Of(
                $"""<tr><th scope="row">{NameOf(report, row)}</th>{Enumerable.Range(0, count).Select(column => Cell(report, row, column, count))}</tr>"""))}</tbody></table></div></section>
            """);
    }

    private static Html Cell(ExplainReport report, int row, int column, int count)
    {
        float value = report.Similarities[row * count + column], low = report.Similarities.Min();
        double share = low < 1 ? 100 * (value - low) / (1 - low) : 100;
        string title = string.Create(CultureInfo.InvariantCulture,
            $"{NameOf(report, row)}, {NameOf(report, column)}: {value:0.000}");
        return Html.Of(
            $"""<td title="{title}" style="background:color-mix(in srgb, var(--accent) {share:0.#}%, var(--page))"></td>""");
    }

    private static string NameOf(ExplainReport report, int descriptor) => string.Create(CultureInfo.InvariantCulture,
        $"{report.Classes[descriptor / report.PerClass]} {descriptor % report.PerClass + 1}");

    private static Html Words(ExplainReport report) => report.Words.Count == 0 ? Html.Empty : Html.Of($"""
        <section><h2>Nearest words</h2>
        <p class="hint">The paper's Table VI: the tokens of the vocabulary whose embeddings are nearest to each learned
        token (m, l), by Euclidean distance; beside them the nearest whole words. A dot marks a token that a word goes on
        after. The control is the distance of the nearest token to a random vector of the same length: where a learned
        token is no nearer, its words mean nothing. Words near a learned token are not its meaning.</p>
        <div class="scroll"><table class="words"><thead><tr><th>class</th><th>(m, l)</th><th>nearest tokens</th><th>whole
        words</th><th>control</th><th>mean</th><th>paper</th></tr></thead>
        <tbody>{report.Words.Select(word => Html.Of(
            $"""<tr><th scope="row">{report.Classes[word.Class]}</th><td>({word.Descriptor + 1}, {word.Token + 1})</td><td>{Listed(word.Tokens)}</td><td>{Listed(word.Words)}</td><td>{word.RandomDistance:0.00}</td><td>{word.MeanDistance:0.00}</td><td>{PaperWords.At(report.Classes[word.Class], word.Descriptor, word.Token) ?? ""}</td></tr>"""))}</tbody></table></div>
        <p class="hint">{PaperWords.Note}</p></section>
        """);

    private static string Listed(IReadOnlyList<NearestWord> words) => string.Join(", ", words.Take(WordsShown).Select(
        word => string.Create(CultureInfo.InvariantCulture, $"{word.Word} {word.Distance:0.00}")));

    private static string DataUri(RgbImage image) =>
        $"data:image/png;base64,{Convert.ToBase64String(SkiaImageCodec.Instance.Encode(image, ImageFormat.Png))}";
}
