using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The online softmax: which keys a query sees, the mask, and the running max and sum of a lane's two rows.
/// </summary>
internal static partial class MmaSyncAttention
{
    /// <summary>The keys that a CTA's queries see. All ranges begin at key 0.</summary>
    [DeviceCode]
    private struct VisibleKeys
    {
        /// <summary>Keys before it exist: the sample's key length.</summary>
        public int Length;

        /// <summary>Some query of the CTA sees the keys before it.</summary>
        public int End;

        /// <summary>Some query of the warp sees the keys before it.</summary>
        public int Some;

        /// <summary>All queries of the warp see the keys before it: these scores need no mask.</summary>
        public int All;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static VisibleKeys KeysVisible<TTile>(int queries, int keys, GlobalPtrInt32 keyLengths, int causal)
        where TTile : struct, ICtaTile
    {
        int first = FirstRowOfWarp<TTile>();
        VisibleKeys visible;
        visible.Length = keyLengths.IsNull ? keys : keyLengths.Load(Grid.IdxZ);
        (visible.End, visible.Some, visible.All) = (visible.Length, visible.Length, visible.Length);
        if (causal != 0)
        {
            visible.End = IntrinsicMath.Min(visible.Length, (Grid.IdxX + 1) * TTile.Warps * FragmentRows);
            visible.Some = IntrinsicMath.Min(visible.Length, first + FragmentRows);
            visible.All = IntrinsicMath.Min(visible.Length, first + 1);
        }
        if (first >= queries)
            (visible.Some, visible.All) = (0, 0);
        return visible;
    }

    /// <summary>Sets the scores of columns from a row's limit on to minus infinity.</summary>
    [DeviceCode]
    private struct MaskBody : IUnrolledBody
    {
        public ArrayView<F4> Scores;
        public int Column, Limit0, Limit1;

        public void Run(int index)
        {
            F4 s = Scores[index];
            int column = Column + index * 8;
            s.X = column < Limit0 ? s.X : float.NegativeInfinity;
            s.Y = column + 1 < Limit0 ? s.Y : float.NegativeInfinity;
            s.Z = column < Limit1 ? s.Z : float.NegativeInfinity;
            s.W = column + 1 < Limit1 ? s.W : float.NegativeInfinity;
            Scores[index] = s;
        }
    }

    [DeviceCode]
    private struct MaxBody : IUnrolledBody
    {
        public ArrayView<F4> Scores;
        public float Max0, Max1;

        public void Run(int index)
        {
            F4 s = Scores[index];
            Max0 = Ptx.MaxNaN(Max0, Ptx.MaxNaN(s.X, s.Y));
            Max1 = Ptx.MaxNaN(Max1, Ptx.MaxNaN(s.Z, s.W));
        }
    }

    /// <summary>Replaces scores by 2^(scale score - max) and adds them to the running sums.</summary>
    [DeviceCode]
    private struct ExponentBody : IUnrolledBody
    {
        public ArrayView<F4> Scores;
        public float Scale, Max0, Max1, Sum0, Sum1;

        public void Run(int index)
        {
            F4 s = Scores[index];
            s.X = Ptx.Exp2(Ptx.Fma(s.X, Scale, -Max0));
            s.Y = Ptx.Exp2(Ptx.Fma(s.Y, Scale, -Max0));
            s.Z = Ptx.Exp2(Ptx.Fma(s.Z, Scale, -Max1));
            s.W = Ptx.Exp2(Ptx.Fma(s.W, Scale, -Max1));
            Sum0 += s.X + s.Y;
            Sum1 += s.Z + s.W;
            Scores[index] = s;
        }
    }

    [DeviceCode]
    private struct RescaleBody : IUnrolledBody
    {
        public ArrayView<F4> Accumulators;
        public float Scale0, Scale1;

        public void Run(int index)
        {
            F4 s = Accumulators[index];
            (s.X, s.Y, s.Z, s.W) = (s.X * Scale0, s.Y * Scale0, s.Z * Scale1, s.W * Scale1);
            Accumulators[index] = s;
        }
    }

    /// <summary>
    /// The online softmax of a lane's two rows: the running max m of scale * score, in powers of two, and the lane's
    /// part of the running sum of 2^(scale score - m).
    /// </summary>
    [DeviceCode]
    private struct OnlineSoftmax
    {
        // The running max is raised only when a score exceeds it by more than this power of two. Any value of it
        // gives the same quotients; this one keeps the largest probability between 1 and 256, far within fp16, and
        // saves rescaling the accumulators whenever the max grows a little.
        private const float RescaleThreshold = 8;

        public float Scale, Max0, Max1, Sum0, Sum1;

        /// <summary>
        /// Turns the scores of some fragments of keys into probabilities, and rescales the output accumulators where
        /// the running max is raised.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Apply<TFragments>(ArrayView<F4> scores, ArrayView<F4> output) where TFragments : struct, IUnroll
        {
            var max = new MaxBody { Scores = scores, Max0 = float.NegativeInfinity, Max1 = float.NegativeInfinity };
            Twice<TFragments>.For(ref max);
            float max0 = Ptx.QuadMax(max.Max0) * Scale, max1 = Ptx.QuadMax(max.Max1) * Scale;
            // A NaN makes this false and then becomes the running max, so that it reaches the whole row.
            bool within = max0 <= Max0 + RescaleThreshold & max1 <= Max1 + RescaleThreshold;
            if (!within)
            {
                max0 = Ptx.MaxNaN(Max0, max0);
                max1 = Ptx.MaxNaN(Max1, max1);
                var rescale = new RescaleBody
                {
                    Accumulators = output,
                    Scale0 = Ptx.Exp2(Max0 - max0),
                    Scale1 = Ptx.Exp2(Max1 - max1),
                };
                Unroll8.For(ref rescale);
                (Max0, Max1, Sum0, Sum1) = (max0, max1, Sum0 * rescale.Scale0, Sum1 * rescale.Scale1);
            }
            var exponent = new ExponentBody
            {
                Scores = scores,
                Scale = Scale,
                Max0 = Max0,
                Max1 = Max1,
                Sum0 = Sum0,
                Sum1 = Sum1,
            };
            Twice<TFragments>.For(ref exponent);
            (Sum0, Sum1) = (exponent.Sum0, exponent.Sum1);
        }
    }
}
