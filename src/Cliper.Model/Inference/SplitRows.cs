using Cliper.Kernels.Collectives;

namespace Cliper.Model.Inference;

/// <summary>Rows of numbers, one a sample of a split, that several ranks make together.</summary>
/// <param name="samples">Samples of the split.</param>
/// <param name="width">Numbers of a row.</param>
internal sealed class SplitRows(int samples, int width)
{
    private readonly List<int> _own = [];

    /// <summary>The rows, [samples, width].</summary>
    public float[] Values { get; } = new float[checked(samples * width)];

    /// <summary>Whether a sample has a row: one that cannot be read has none.</summary>
    public bool[] IsThere { get; } = new bool[samples];

    /// <summary>The row of a sample.</summary>
    public ReadOnlySpan<float> Of(int sample) => Values.AsSpan(sample * width, width);

    /// <summary>Adds rows of this rank.</summary>
    /// <param name="indices">The samples.</param>
    /// <param name="rows">[samples, width].</param>
    public void Add(ReadOnlySpan<int> indices, ReadOnlySpan<float> rows)
    {
        for (int i = 0; i < indices.Length; i++)
            Put(indices[i], rows.Slice(i * width, width));
        _own.AddRange(indices);
    }

    /// <summary>Gives every rank the rows of all; each calls it once, when its own are there.</summary>
    /// <param name="ranks">The ranks.</param>
    public void Share(RankGroup ranks)
    {
        if (ranks.Size == 1)
            return;
        int[] indices = ranks.Gather<int>(_own.ToArray(), out _);
        float[] rows = ranks.Gather<float>([.. _own.SelectMany(index => Of(index).ToArray())], out _);
        for (int i = 0; i < indices.Length; i++)
            Put(indices[i], rows.AsSpan(i * width, width));
    }

    private void Put(int sample, ReadOnlySpan<float> row)
    {
        row.CopyTo(Values.AsSpan(sample * width));
        IsThere[sample] = true;
    }
}
