using Cliper.Model.Interpretation;

namespace Cliper.Model.Reporting;

// This part shows the nearest words of the descriptors, how often each is used, and the mistakes.
internal static partial class HtmlReport
{
    private const int MostExamples = 8;
    private const int MostWords = 3;
    private const int MostMistakes = 48;

    private static Html Descriptors(ReportModel report)
    {
        if (report.Descriptors.Count == 0)
            return Html.Empty;
        long most = Math.Max(1, report.Descriptors.Max(descriptor => descriptor.Nearest));
        return Html.Of($"""
            <section><h2>Descriptors</h2>
            <p class="hint">Each class has several learned descriptors. A bar shows for how many samples that are predicted
            as the class, rightly or wrongly, a descriptor is the nearest of the class; below it the words of
            the vocabulary that lie nearest to its learned tokens (Euclidean distance), and samples of the class that are
            nearest to it.</p>
            {report.Descriptors.GroupBy(descriptor => descriptor.Class).Select(group => Html.Of($"""
            <h3>{group.Key}</h3><div class="descriptors">{group.Select(descriptor =>
            Descriptor(descriptor, most))}</div>

            """))}</section>
            """);
    }

    private static Html Descriptor(ReportDescriptor descriptor, long most) => Html.Of($"""
        <article class="{(descriptor.Nearest == 0 ? "unused" : "used")}">
        <h4>{descriptor.Class} {descriptor.Number}<span>{descriptor.Nearest:#,0}, {descriptor.Right:#,0} right</span></h4>
        <div class="usage" style="--share:{100.0 * descriptor.Nearest / most:0.#}%"></div>
        <ol class="tokens">{descriptor.Tokens.Select(Token)}</ol>
        <div class="gallery">{descriptor.Examples.Take(MostExamples).Select(example => Picture(example))}</div></article>
        """);

    private static Html Token(IReadOnlyList<NearestWord> words) => Html.Of(
        $"""<li>{words.Take(MostWords).Select((word, place) => Html.Of(
            $"""<span class="{(place == 0 ? "first" : "other")}">{word.Word}<small>{word.Distance:0.00}</small></span>"""))}</li>""");

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
