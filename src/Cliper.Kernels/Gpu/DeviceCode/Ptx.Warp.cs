using System.Runtime.CompilerServices;
using ILGPU;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <content>Reductions and exchanges between the lanes of a warp, made of shuffles.</content>
internal static unsafe partial class Ptx
{
    /// <summary>Warp reduction: the sum over all lanes, in every lane, always added in the same order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WarpSum(float value)
    {
        value += Warp.ShuffleXor(value, 16);
        value += Warp.ShuffleXor(value, 8);
        value += Warp.ShuffleXor(value, 4);
        value += Warp.ShuffleXor(value, 2);
        return value + Warp.ShuffleXor(value, 1);
    }

    /// <summary>Warp reduction: the integer sum over all lanes, in every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int WarpSum(int value)
    {
        value += Warp.ShuffleXor(value, 16);
        value += Warp.ShuffleXor(value, 8);
        value += Warp.ShuffleXor(value, 4);
        value += Warp.ShuffleXor(value, 2);
        return value + Warp.ShuffleXor(value, 1);
    }

    /// <summary>Warp reduction: the maximum over all lanes, in every lane; NaN when any lane has one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WarpMax(float value)
    {
        value = Max(value, Warp.ShuffleXor(value, 16));
        value = Max(value, Warp.ShuffleXor(value, 8));
        value = Max(value, Warp.ShuffleXor(value, 4));
        value = Max(value, Warp.ShuffleXor(value, 2));
        return Max(value, Warp.ShuffleXor(value, 1));
    }

    /// <summary>The maximum over the four lanes of a quad, in each of them; from compute capability 8.0 on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float QuadMax(float value)
    {
        value = MaxNaN(value, Warp.ShuffleXor(value, 1));
        return MaxNaN(value, Warp.ShuffleXor(value, 2));
    }

    /// <summary>The sum over the four lanes of a quad, in each of them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float QuadSum(float value)
    {
        value += Warp.ShuffleXor(value, 1);
        return value + Warp.ShuffleXor(value, 2);
    }

    /// <summary>
    /// Transposes four words in each of a quad's four lanes: lane q then has word q of lane 0, of lane 1, of lane 2
    /// and of lane 3. All lanes of a warp call it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 TransposeQuad(U4 words)
    {
        int odd = Warp.LaneIdx & 1, high = Warp.LaneIdx & 2;
        Exchange(ref words.X, ref words.Y, odd, 1);
        Exchange(ref words.Z, ref words.W, odd, 1);
        Exchange(ref words.X, ref words.Z, high, 2);
        Exchange(ref words.Y, ref words.W, high, 2);
        return words;
    }

    // Two lanes exchange words: the lane without the bit gives its second word for the other's first.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Exchange(ref uint first, ref uint second, int hasBit, int bit)
    {
        uint received = Warp.ShuffleXor(hasBit != 0 ? first : second, bit);
        first = hasBit != 0 ? received : first;
        second = hasBit != 0 ? second : received;
    }
}
