namespace Cliper.References;

/// <summary>
/// Conversions around the references: each computes one operation in double, by plain loops over whole arrays, for the
/// tests of every back end.
/// </summary>
/// <remarks>
/// A reference adds to what the operation can add to (gradients, sums) and overwrites its other outputs; a test that
/// does not accumulate begins with zeros, see <see cref="Before"/> and <see cref="Start"/>.
/// </remarks>
internal static class Doubles
{
    /// <summary>The same numbers, exactly.</summary>
    public static double[] Of(float[] values) => Array.ConvertAll(values, value => (double)value);

    /// <summary>Each number rounded to fp32 once.</summary>
    public static float[] Rounded(double[] values) => Array.ConvertAll(values, value => (float)value);

    /// <summary>A copy of what is added to: the values, or zeros where nothing accumulates.</summary>
    public static double[] Before(float[] values, bool accumulate) => Start(Of(values), accumulate);

    /// <summary>The array itself, cleared where nothing accumulates.</summary>
    public static double[] Start(double[] values, bool accumulate)
    {
        if (!accumulate)
            Array.Clear(values);
        return values;
    }
}
