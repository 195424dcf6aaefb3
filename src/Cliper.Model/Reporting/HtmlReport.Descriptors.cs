using Cliper.Model.Interpretation;

namespace Cliper.Model.Reporting;

// This part shows the nearest words of the descriptors, how often each is used, and the mistakes.
internal static partial class HtmlReport
{
    private const int MostExamples = 8;
    private const int MostWords = 3;
    private const int MostMistakes = 48;

    private static Html Descriptors(ReportModel report) => Descriptors(report.Descriptors);

    /// <summary>The gallery of all descriptors, and the words of their learned tokens.</summary>
    internal static Html Descriptors(IReadOnlyList<ReportDescriptor> descriptors)
    {
        if (descriptors.Count == 0)
            return Html.Empty;
        long most = Math.Max(1, descriptors.Max(descriptor => descriptor.Nearest));
        return Html.Of($"""
            <section><h2>Descriptors</h2>
            <p class="hint">Each class has several descriptors. A bar shows for how many samples of the class, predicted
            rightly or wrongly, a descriptor is the nearest of the class. Below it are the tokens of the vocabulary that
            lie nearest to its learned tokens, by Euclidean distance (a dot marks one that a word goes on after), and the
            nearest whole word of each. Last come the samples for which it is nearest by the largest margin; one with a mark
            was taken for another class. <code>cliper-gpu explain</code> shows more of them, and what else there is.</p>
            {descriptors.GroupBy(descriptor => descriptor.Class).Select(group => Html.Of($"""
            <h3>{group.Key}</h3><div class="descriptors">{group.Select(descriptor =>
            Descriptor(descriptor, most))}</div>

            """))}</section>
            """);
    }

    private static Html Descriptor(ReportDescriptor descriptor, long most)
    {
        Html margin = descriptor.MedianMargin is { } median and > 0
            ? Html.Of($"""<small>{100 * descriptor.Share:0.#} % of the class, median margin {median:0.0000}</small>""")
            : Html.Of($"""<small>{100 * descriptor.Share:0.#} % of the class</small>""");
        return Html.Of($"""
        <article class="{(descriptor.Nearest == 0 ? "unused" : "used")}">
        <h4>{descriptor.Class} {descriptor.Number}<span>{descriptor.Nearest:#,0}, {descriptor.Right:#,0} right</span></h4>
        <div class="usage" style="--share:{100.0 * descriptor.Nearest / most:0.#}%"></div>{margin}
        <ol class="tokens">{descriptor.Tokens.Select(Token)}</ol>
        <div class="gallery">{descriptor.Examples.Take(MostExamples).Select(Example)}</div></article>
        """);
    }

    private static Html Token(TokenWords token) => Html.Of(
        $"""<li>{Words(token.Tokens, MostWords)}<div><small>word:</small> {Words(token.Words, 1)}</div></li>""");

    private static Html Words(IReadOnlyList<NearestWord> words, int most) => Html.Join(words.Take(most).Select(
        (word, place) => Html.Of(
            $"""<span class="{(place == 0 ? "first" : "other")}">{word.Word}<small>{word.Distance:0.00}</small></span>""")));

    private static Html Example(ReportExample example) => example.Mistaken is null ? Picture(example.Picture) : Html.Of(
        $"""<span class="mistaken" title="taken for {example.Mistaken}">{Picture(example.Picture)}</span>""");

    private static Html Mistakes(ReportModel report)
    {
        if (report.Mistakes.Count == 0)
            return Html.Empty;
        long all = report.Result.Samples - report.Result.Correct, count = Math.Min(report.Mistakes.Count, MostMistakes);
        string shown = count < all ? FormattableString.Invariant($" Shown are {count} of {all:#,0}.") : "";
        return Html.Of($"""
            <section><h2>Mistakes</h2>
            <p class="hint">Samples that were predicted wrong, the surest first: true class, prediction, probability.{shown}</p>
            <div class="mistakes">{report.Mistakes.Take(MostMistakes).Select(mistake => Html.Of(
                $"""
                <figure>{Picture(mistake.Picture)}<figcaption>{mistake.Actual}<b>{mistake.Predicted}</b>
                <small>{Percent(mistake.Probability, 1)}</small></figcaption></figure>

                """))}</div></section>
            """);
    }

    private static Html Picture(ReportImage picture) => Html.Of(
        $"""<img src="{Thumbnail.DataUri(picture.Image)}" alt="{picture.Name}" title="{picture.Name}" loading="lazy">""");
}
