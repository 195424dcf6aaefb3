using Cliper.Kernels.Collectives;
using Cliper.Model.Loading;

namespace Cliper.Model.Stages;

/// <summary>The samples of a step that several ranks take together.</summary>
/// <param name="Own">This rank's rows, with pixels.</param>
/// <param name="Whole">Labels and indices of all rows; <paramref name="Own"/> itself where there is one rank.</param>
/// <param name="Counts">Samples of each rank.</param>
internal sealed record RankedBatch(Batch Own, Batch Whole, int[] Counts)
{
    /// <summary>The samples of a step.</summary>
    /// <param name="own">This rank's part of a batch.</param>
    /// <param name="ranks">The ranks, which all call this.</param>
    public static RankedBatch Of(Batch own, RankGroup ranks) => ranks.Size == 1
        ? new RankedBatch(own, own, [own.Count])
        : new RankedBatch(own, own.Gathered(ranks, out int[] counts), counts);
}
