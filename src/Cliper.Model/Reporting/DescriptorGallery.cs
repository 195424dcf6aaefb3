using Cliper.Model.Images;
using Cliper.Model.Interpretation;
using Cliper.Model.Samples;

namespace Cliper.Model.Reporting;

/// <summary>
/// The paper's Figure 3: the samples of a class by the nearest of its descriptors, whatever they were predicted as,
/// those first whose descriptor is nearest by the largest margin.
/// </summary>
internal static class DescriptorGallery
{
    /// <summary>The descriptors of all classes with their samples.</summary>
    /// <param name="split">The samples, whose labels are the model's.</param>
    /// <param name="descriptors">Descriptors a class, M.</param>
    /// <param name="answers">The samples' nearest descriptors.</param>
    /// <param name="words">Words of the learned tokens; empty for none.</param>
    /// <param name="examples">Most pictures of a descriptor.</param>
    public static IReadOnlyList<ReportDescriptor> Of(DataSplit split, int descriptors,
        IReadOnlyList<DescriptorAnswer> answers, IReadOnlyList<TokenWords> words, int examples)
    {
        ILookup<(int, int), DescriptorAnswer> nearest =
            answers.ToLookup(answer => (answer.Label, answer.Descriptor));
        ILookup<(int, int), TokenWords> tokens = words.ToLookup(word => (word.Class, word.Descriptor));
        long[] ofClass = [.. split.Classes.Select((_, label) => answers.LongCount(answer => answer.Label == label))];
        return
        [
            .. split.Classes.SelectMany((name, label) => Enumerable.Range(0, descriptors).Select(m =>
            {
                DescriptorAnswer[] own = [.. nearest[(label, m)].OrderByDescending(answer => answer.Margin)];
                return new ReportDescriptor(name, m + 1, [.. tokens[(label, m)]], own.Length,
                    own.Count(answer => answer.IsRight),
                    [.. own.Select(Example).OfType<ReportExample>().Take(examples)])
                {
                    Share = ofClass[label] == 0 ? 0 : (double)own.Length / ofClass[label],
                    MedianMargin = own.Length == 0 ? null : own[own.Length / 2].Margin,
                };
            })),
        ];

        ReportExample? Example(DescriptorAnswer answer) => PictureOf(split.Samples[answer.Index]) is { } picture
            ? new ReportExample(picture, answer.IsRight ? null : split.Classes[answer.Predicted]) : null;
    }

    /// <summary>A sample's picture, of a clip the middle frame; null where it cannot be read.</summary>
    /// <param name="sample">The sample.</param>
    public static ReportImage? PictureOf(Sample sample)
    {
        try
        {
            return new ReportImage(sample.Name, sample.Frames[sample.Frames.Count / 2].Load(ImageCodec.Instance));
        }
        catch (InputException)
        {
            // Shown or not, the sample has been counted; the loader has reported it.
            return null;
        }
    }
}
