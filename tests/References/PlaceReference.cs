using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>Some tokens of every sequence are replaced by others of the sequence's own.</summary>
internal static class PlaceReference
{
    /// <summary>Computes y [sequences, tokens, width]; insert is [sequences, inserted, width].</summary>
    public static void Forward(double[] x, double[] insert, int[] slots, double[] y, Place.Sizes sizes)
    {
        x.CopyTo(y, 0);
        for (int i = 0; i < insert.Length; i++)
            y[At(i, slots, sizes)] = insert[i];
    }

    /// <summary>Adds dy to dinsert where a token was replaced, and to dx elsewhere.</summary>
    public static void Backward(double[] dy, int[] slots, double[] dx, double[] dinsert, Place.Sizes sizes)
    {
        var rest = (double[])dy.Clone();
        for (int i = 0; i < dinsert.Length; i++)
        {
            dinsert[i] += dy[At(i, slots, sizes)];
            rest[At(i, slots, sizes)] = 0;
        }
        for (int i = 0; i < dx.Length; i++)
            dx[i] += rest[i];
    }

    // The element of the sequences that element i of the inserted tokens takes.
    private static int At(int i, int[] slots, Place.Sizes sizes)
    {
        int row = i / sizes.Width, sequence = row / sizes.Inserted;
        return (sequence * sizes.Tokens + slots[row]) * sizes.Width + i % sizes.Width;
    }
}
