namespace Cliper.Model.DrawnFaces;

/// <summary>
/// SplitMix64 (Steele, Lea, Flood 2014), keyed by (seed, purpose, index). Only integer steps and one multiplication a
/// number, no library functions: the same faces on every machine.
/// </summary>
internal struct FaceRandom(ulong seed, ulong purpose, ulong index)
{
    private const ulong Golden = 0x9E3779B97F4A7C15;

    private ulong _state = Mix(Mix(Mix(seed + Golden) ^ purpose) ^ index);

    /// <summary>64 uniform bits.</summary>
    public ulong Next() => Mix(_state += Golden);

    /// <summary>Uniform in [0, 1).</summary>
    public float Uniform() => (Next() >> 40) * (1f / (1 << 24));

    /// <summary>Uniform in [low, high).</summary>
    public float Uniform(float low, float high) => low + ((high - low) * Uniform());

    /// <summary>Nearly normal with deviation 1: the sum of four uniforms, which never leaves ±2√3.</summary>
    public float Normal() => (Uniform() + Uniform() + Uniform() + Uniform() - 2) * 1.7320508f;

    /// <summary>True with this probability.</summary>
    public bool Chance(float probability) => Uniform() < probability;

    /// <summary>One of several.</summary>
    public T Pick<T>(ReadOnlySpan<T> choices) => choices[(int)(Uniform() * choices.Length)];

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
