using System.Globalization;
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
                yield return string.Create(CultureInfo.InvariantCulture,
                    $"{report.Classes[label]}: samples by nearest descriptor {string.Join(' ', counts)}, {DescriptorUsage.PerplexityOf(counts):0.00} of {report.PerClass} in use");
        foreach (TraitResult trait in report.Traits.Where(trait => trait.Class is null))
            yield return string.Create(CultureInfo.InvariantCulture,
                $"{trait.Trait.Name}: the nearest descriptor tells {trait.Information.Bits:0.0000} of {trait.Information.Entropy:0.000} bits within a class ({trait.Samples} samples); shuffled {trait.Information.Shuffled:0.0000}, 95 % below {trait.Information.Limit:0.0000}; above {100 * trait.Information.Percentile:0.0} % of {report.Shuffles} shuffles");
    }
}
