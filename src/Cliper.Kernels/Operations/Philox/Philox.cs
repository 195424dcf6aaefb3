using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four random
/// words are a function of a 128-bit counter and a 64-bit key, here the seed. There is no state to keep, so any draw of
/// any step can be repeated, on every device and in any order.
/// </summary>
public static partial class Philox
{
    private const uint Multiplier0 = 0xD2511F53, Multiplier1 = 0xCD9E8D57;
    private const uint Weyl0 = 0x9E3779B9, Weyl1 = 0xBB67AE85;
    private const int Rounds = 10;

    /// <summary>Four words: ten rounds of two 32 x 32 bit products, the key stepping by Weyl constants.</summary>
    /// <param name="c0">Counter, lowest word.</param>
    /// <param name="c1">Counter.</param>
    /// <param name="c2">Counter.</param>
    /// <param name="c3">Counter, highest word.</param>
    /// <param name="key">Key; its low word first.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (uint W0, uint W1, uint W2, uint W3) Block(uint c0, uint c1, uint c2, uint c3, ulong key)
    {
        uint k0 = (uint)key, k1 = (uint)(key >> 32);
        for (int round = 0; round < Rounds; round++)
        {
            ulong p0 = (ulong)Multiplier0 * c0, p1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += Weyl0;
            k1 += Weyl1;
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>Uniform in [0, 1): the 24 highest bits, each value a multiple of 2^-24.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToUniform(uint word) => (word >> 8) * (1f / (1 << 24));

    /// <summary>
    /// Two independent standard normals (Box and Muller 1958): r cos t and r sin t with r = sqrt(-2 ln u), u in (0, 1]
    /// from the first word, t uniform in [0, 2 pi) from the second. The largest is sqrt(64 ln 2) = 6.7.
    /// </summary>
    public static (float A, float B) ToNormals(uint first, uint second)
    {
        double radius = Math.Sqrt(-2 * Math.Log((first + 1.0) / 4294967296.0));
        (double sin, double cos) = Math.SinCos(second * (2 * Math.PI / 4294967296.0));
        return ((float)(radius * cos), (float)(radius * sin));
    }

    /// <summary>
    /// Fills an fp32 array with numbers uniform in [<paramref name="low"/>, <paramref name="high"/>). Element 4 i + j
    /// is word j of the counter (i, stream, step, purpose).
    /// </summary>
    /// <param name="y">Output, any length.</param>
    /// <param name="seed">Key of the generator.</param>
    /// <param name="purpose">The use of the numbers.</param>
    /// <param name="step">Training step or epoch; 0 where there is none.</param>
    /// <param name="stream">Tells several arrays of one purpose and step apart.</param>
    /// <param name="low">Smallest value.</param>
    /// <param name="high">End of the range.</param>
    public static void Uniform(DeviceArray y, ulong seed, RandomPurpose purpose, uint step = 0, uint stream = 0,
        float low = 0, float high = 1) =>
        Fill(new UniformDraw(low, high), y, seed, purpose, step, stream);

    /// <summary>Fills an fp32 array with normal numbers; counters as <see cref="Uniform"/>.</summary>
    /// <param name="y">Output, any length.</param>
    /// <param name="seed">Key of the generator.</param>
    /// <param name="purpose">The use of the numbers.</param>
    /// <param name="step">Training step or epoch; 0 where there is none.</param>
    /// <param name="stream">Tells several arrays of one purpose and step apart.</param>
    /// <param name="mean">Mean.</param>
    /// <param name="deviation">Standard deviation.</param>
    public static void Normal(DeviceArray y, ulong seed, RandomPurpose purpose, uint step = 0, uint stream = 0,
        float mean = 0, float deviation = 1) =>
        Fill(new NormalDraw(mean, deviation), y, seed, purpose, step, stream);

    private static void Fill<TDraw>(TDraw draw, DeviceArray y, ulong seed, RandomPurpose purpose, uint step,
        uint stream)
        where TDraw : struct, IDraw
    {
        Check.Length(y, y.Length, nameof(y));
        switch (y.Device)
        {
            case CpuDevice host: FillHost(host, draw, y, seed, purpose, step, stream); break;
            case GpuDevice: FillGpu(draw, y, seed, purpose, step, stream); break;
            default: throw Check.NoImplementation(nameof(Philox), y.Device);
        }
    }

    /// <summary>Four numbers out of four words.</summary>
    private interface IDraw
    {
        (float A, float B, float C, float D) From(uint w0, uint w1, uint w2, uint w3);
    }

    private readonly struct UniformDraw(float low, float high) : IDraw
    {
        public (float A, float B, float C, float D) From(uint w0, uint w1, uint w2, uint w3) =>
            (Scale(w0), Scale(w1), Scale(w2), Scale(w3));

        private float Scale(uint word) => Philox.Scale(word, low, high);
    }

    private readonly struct NormalDraw(float mean, float deviation) : IDraw
    {
        public (float A, float B, float C, float D) From(uint w0, uint w1, uint w2, uint w3)
        {
            (float a, float b) = ToNormals(w0, w1);
            (float c, float d) = ToNormals(w2, w3);
            return (mean + deviation * a, mean + deviation * b, mean + deviation * c, mean + deviation * d);
        }
    }

    /// <summary>Uniform in [low, high); rounding must not reach <paramref name="high"/>.</summary>
    internal static float Scale(uint word, float low, float high)
    {
        float value = low + (high - low) * ToUniform(word);
        return value < high || low >= high ? value : MathF.BitDecrement(high);
    }
}
