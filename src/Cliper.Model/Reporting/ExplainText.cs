using System.Globalization;
using Cliper.Model.Interpretation;
using Cliper.Model.Metrics;

namespace Cliper.Model.Reporting;

/// <summary>An explanation's main findings, in lines for a person.</summary>
internal static class ExplainText
{
    /// <summary>The lines.</summary>
    public static IEnumerable<string> Lines(ExplainReport report)
    {
        foreach (ExplainedImage image in report.Images)
            yield return image.Caption;
        if (report.Answers is { } answers && report.PerClass > 1)
            foreach ((int label, long[] counts) in answers.Counts(report.PerClass).Index())
            {
                string used = Number(DescriptorUsage.PerplexityOf(counts), "0.00");
                yield return $"{report.Classes[label]}: samples by nearest descriptor {string.Join(' ', counts)}, "
                    + $"{used} of {report.PerClass} in use";
            }
        foreach (TraitResult trait in report.Traits.Where(trait => trait.Class is null))
        {
            Information found = trait.Information;
            yield return $"{trait.Trait.Name}: the nearest descriptor tells {Number(found.Bits, "0.0000")} of "
                + $"{Number(found.Entropy, "0.000")} bits within a class ({trait.Samples} samples); shuffled "
                + $"{Number(found.Shuffled, "0.0000")}, 95 % below {Number(found.Limit, "0.0000")}; above "
                + $"{Number(100 * found.Percentile, "0.0")} % of {report.Shuffles} shuffles";
        }
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
