namespace Cliper.Benchmarks.Measuring;

/// <summary>Whether the contenders did the same work.</summary>
internal static class Equality
{
    // fp32 sums of a few thousand terms in different orders differ by some 1e-6 of the largest value a layer;
    // a wrong weight, mask or scale by far more than this.
    private const double Tolerance = 1e-3;

    // The bound of all gradients after twelve blocks, sqrt(2) F (1 / (temperature sqrt(embedding size)) + 1) with
    // F = 2^-8 sqrt(4 (12 + 1)) and the head's factor of 10 over sqrt(512); a wrong operand is off by 1.
    private const double Bf16Tolerance = 0.06;

    /// <summary>
    /// Throws when the largest difference exceeds a thousandth of the largest value; says it otherwise.
    /// </summary>
    public static void Require(string what, ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs) =>
        Console.Error.WriteLine(
        $"    {what}: equal, largest difference {Difference(what, ours, theirs):E1} of the largest value");

    /// <summary>
    /// Throws when results in bf16 are off by more than bf16 explains (docs/numerics.md); says the distance otherwise.
    /// </summary>
    public static void RequireBf16(string what, float[] ours, float[] expected) => Console.Error.WriteLine(
        $"    {what}: bf16 is off by {Distance(what, ours, expected, Bf16Tolerance):E1} of the norm");

    /// <summary>
    /// L2 norm of the difference as a share of theirs; throws when it exceeds <paramref name="tolerance"/>.
    /// </summary>
    public static double Distance(string what, float[] ours, float[] theirs, double tolerance)
    {
        double norm = Math.Sqrt(theirs.Sum(value => (double)value * value)),
            distance = Math.Sqrt(ours.Zip(theirs, (a, b) => Math.Pow(a - b, 2)).Sum()) / norm;
        return ours.Length == theirs.Length && distance <= tolerance ? distance
            : throw new InvalidDataException($"{what}: results differ by {distance:E1} of their norm");
    }

    /// <summary>Largest difference as a share of the largest value; throws when it exceeds a thousandth.</summary>
    public static double Difference(string what, ReadOnlySpan<float> ours, ReadOnlySpan<float> theirs)
    {
        if (ours.Length != theirs.Length)
            throw new InvalidDataException($"{what}: {ours.Length} values against {theirs.Length}");
        double difference = 0, largest = 0;
        for (int i = 0; i < ours.Length; i++)
        {
            difference = Math.Max(difference, Math.Abs((double)ours[i] - theirs[i]));
            largest = Math.Max(largest, Math.Abs((double)theirs[i]));
        }
        if (!(difference <= Tolerance * largest))
            throw new InvalidDataException($"{what}: results differ by {difference:E1}, largest value {largest:E1}");
        return largest == 0 ? 0 : difference / largest;
    }
}
