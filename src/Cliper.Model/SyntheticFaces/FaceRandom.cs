using Cliper.Kernels.Operations;

namespace Cliper.Model.SyntheticFaces;

/// <summary>
/// Random numbers of one face: a <see cref="RandomStream"/> with some more distributions. No library function is
/// involved, so the parameters are the same on every machine.
/// </summary>
internal struct FaceRandom(ulong seed, RandomPurpose purpose, uint step, uint sample)
{
    private RandomStream _stream = new(seed, purpose, step, sample);

    /// <summary>32 random bits.</summary>
    public uint Word() => _stream.NextWord();

    /// <summary>Uniform in [0, 1).</summary>
    public float Uniform() => _stream.NextUniform();

    /// <summary>Uniform in [low, high).</summary>
    public float Uniform(float low, float high) => _stream.NextUniform(low, high);

    /// <summary>Nearly normal with std 1: the sum of four uniforms, which never leaves ±2√3.</summary>
    public float Normal() => (Uniform() + Uniform() + Uniform() + Uniform() - 2) * 1.7320508f;

    /// <summary>True with this probability.</summary>
    public bool Chance(float probability) => _stream.NextBool(probability);

    /// <summary>An integer in [0, bound).</summary>
    public int Below(int bound) => _stream.NextInt(bound);

    /// <summary>One of several.</summary>
    public T Pick<T>(ReadOnlySpan<T> choices) => choices[_stream.NextInt(choices.Length)];
}
