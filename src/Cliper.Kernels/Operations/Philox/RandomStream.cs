namespace Cliper.Kernels.Operations;

/// <summary>
/// The numbers of one (seed, purpose, step, sample), drawn one after another: word j of block i is word j of the
/// <see cref="Philox"/> counter (i, sample, step, purpose). The same whichever thread draws them.
/// </summary>
/// <param name="seed">Key of the generator.</param>
/// <param name="purpose">The use of the numbers.</param>
/// <param name="step">Training step or epoch.</param>
/// <param name="sample">Index of the sample in its split.</param>
public struct RandomStream(ulong seed, RandomPurpose purpose, uint step = 0, uint sample = 0)
{
    private (uint W0, uint W1, uint W2, uint W3) _words;
    private uint _block;
    private int _left;

    /// <summary>32 random bits.</summary>
    public uint NextWord()
    {
        if (_left == 0)
        {
            _words = Philox.Block(_block++, sample, step, (uint)purpose, seed);
            _left = 4;
        }
        return _left-- switch
        {
            4 => _words.W0,
            3 => _words.W1,
            2 => _words.W2,
            _ => _words.W3,
        };
    }

    /// <summary>Uniform in [0, 1).</summary>
    public float NextUniform() => Philox.ToUniform(NextWord());

    /// <summary>Uniform in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public float NextUniform(float low, float high) => Philox.Scale(NextWord(), low, high);

    /// <summary>True with probability <paramref name="probability"/>; one word is used whatever it is.</summary>
    public bool NextBool(float probability) => NextUniform() < probability;

    /// <summary>
    /// Integer in [0, <paramref name="bound"/>): the high half of word x bound. A value's probability is off by at most
    /// 2^-32.
    /// </summary>
    public int NextInt(int bound)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bound);
        return (int)((ulong)NextWord() * (uint)bound >> 32);
    }

    /// <summary>Standard normal.</summary>
    public float NextNormal()
    {
        uint first = NextWord();
        return Philox.ToNormals(first, NextWord()).A;
    }

    /// <summary>Puts <paramref name="values"/> into random order (Fisher and Yates).</summary>
    public void Shuffle<T>(Span<T> values)
    {
        for (int i = values.Length - 1; i > 0; i--)
        {
            int j = NextInt(i + 1);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }
}
