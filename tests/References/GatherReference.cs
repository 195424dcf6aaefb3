namespace Cliper.References;

/// <summary>Copies rows of a table: y [rows, width] has row rows[i] of the table at i.</summary>
internal static class GatherReference
{
    /// <summary>Computes y.</summary>
    public static void Forward(double[] table, int[] rows, double[] y, int width)
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = table[rows[i / width] * width + i % width];
    }

    /// <summary>Adds each row of dy to the row of dtable that it came from.</summary>
    public static void Backward(int[] rows, double[] dy, double[] dtable, int width)
    {
        for (int i = 0; i < dy.Length; i++)
            dtable[rows[i / width] * width + i % width] += dy[i];
    }
}
