using Cliper.Model.Samples;
using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Interpretation;

/// <summary>A trait that is known of every sample of a split.</summary>
/// <param name="Name">Its name, such as "intensity".</param>
/// <param name="Values">The trait by index in the split, in parts from 0; negative where a sample has none.</param>
/// <param name="Parts">Names of the parts.</param>
/// <param name="Blocks">Samples of one block may exchange their traits in a shuffle; null where those of a class
/// may.</param>
internal sealed record SampleTrait(string Name, IReadOnlyList<int> Values, IReadOnlyList<string> Parts,
    IReadOnlyList<int>? Blocks = null)
{
    private const int IntensityParts = 4, PositionParts = 3;

    /// <summary>How strong the expressions of synthetic faces are, in quarters, and how old the faces look. Neutral
    /// faces have no strength.</summary>
    /// <param name="faces">The faces, in the order of the split.</param>
    public static IReadOnlyList<SampleTrait> Of(SyntheticFacesData faces)
    {
        FaceParameters[] all = [.. Enumerable.Range(0, faces.Count).Select(faces.Face)];
        float span = (1 - FaceParameters.WeakestIntensity) / IntensityParts;
        return
        [
            new SampleTrait("intensity", [.. all.Select(face => face.Expression == FaceExpression.Neutral ? -1
                : Math.Min(IntensityParts - 1, (int)((face.Intensity - FaceParameters.WeakestIntensity) / span)))],
                [.. Enumerable.Range(0, IntensityParts).Select(part =>
                    FormattableString.Invariant($"{Edge(part):0.00} to {Edge(part + 1):0.00}"))]),
            new SampleTrait("age", [.. all.Select(face => (int)face.Age)],
                [.. Enum.GetValues<FaceAge>().Select(age => age.ToString().ToLowerInvariant())]),
        ];

        float Edge(int part) => FaceParameters.WeakestIntensity + part * span;
    }

    /// <summary>
    /// The frames of video clips as samples of their own, and when each comes in its clip, in thirds: what a sequence
    /// from neutral to the peak of an expression, as CK+ has, shows of its strength. A shuffle exchanges frames of one
    /// clip.
    /// </summary>
    /// <param name="clips">The clips.</param>
    public static (DataSplit Frames, SampleTrait Position) OfFrames(DataSplit clips)
    {
        var frames = new List<Sample>();
        List<int> positions = [], blocks = [];
        for (int clip = 0; clip < clips.Samples.Count; clip++)
        {
            Sample sample = clips.Samples[clip];
            for (int frame = 0; frame < sample.Frames.Count; frame++)
            {
                frames.Add(sample with
                {
                    Name = FormattableString.Invariant($"{sample.Name}#{frame + 1}"),
                    Frames = [sample.Frames[frame]],
                });
                positions.Add(sample.Frames.Count == 1 ? -1 : frame * PositionParts / sample.Frames.Count);
                blocks.Add(clip);
            }
        }
        return (new DataSplit(clips.Name, clips.Classes, frames),
            new SampleTrait("time", positions, ["first third", "second third", "last third"], blocks));
    }

    /// <summary>Measures how much the nearest own descriptor tells about the trait.</summary>
    /// <param name="answers">The samples, whose split is the trait's.</param>
    /// <param name="label">The class alone; null for all classes together.</param>
    /// <param name="shuffles">Shuffles of the control.</param>
    /// <param name="seed">Seed of the shuffles.</param>
    /// <returns>The measure, and how many samples it counts.</returns>
    public (Information Information, int Samples) Measure(DescriptorAnswers answers, int? label, int shuffles,
        ulong seed)
    {
        DescriptorAnswer[] counted = [.. answers.Answers.Where(answer => Values[answer.Index] >= 0
            && (label is null || answer.Label == label))];
        return (MutualInformation.Measure([.. counted.Select(answer => answer.Descriptor)],
            [.. counted.Select(answer => Values[answer.Index])], [.. counted.Select(answer => answer.Label)],
            [.. counted.Select(answer => Blocks?[answer.Index] ?? answer.Label)], shuffles, seed), counted.Length);
    }
}
