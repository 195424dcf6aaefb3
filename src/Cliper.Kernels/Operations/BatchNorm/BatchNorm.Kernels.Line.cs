using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;

namespace Cliper.Kernels.Operations;

public static partial class BatchNorm
{
    /// <summary>The line that a channel's x is put through, (x - mean) scale + beta, of eight channels.</summary>
    [DeviceCode]
    private struct ChannelLine
    {
        // The negative means.
        private Vec8 _shift;
        private Vec8 _beta;

        /// <summary>gamma * rstd.</summary>
        public Vec8 Scale;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ChannelLine Load(GlobalPtrFp32 gamma, GlobalPtrFp32 beta, GlobalPtrFp32 mean,
            GlobalPtrFp32 variance, int channel, int count, float epsilon, int vectorized)
        {
            Vec8 v = Vec8.Scale(Vec8.Load(variance, channel, count, vectorized), 1f, epsilon);
            Vec8 rstd = new()
            {
                A = Ptx.InverseSqrt(v.A),
                B = Ptx.InverseSqrt(v.B),
                C = Ptx.InverseSqrt(v.C),
                D = Ptx.InverseSqrt(v.D),
                E = Ptx.InverseSqrt(v.E),
                F = Ptx.InverseSqrt(v.F),
                G = Ptx.InverseSqrt(v.G),
                H = Ptx.InverseSqrt(v.H),
            };
            return new ChannelLine
            {
                _shift = Vec8.Scale(Vec8.Load(mean, channel, count, vectorized), -1f),
                _beta = Vec8.Load(beta, channel, count, vectorized),
                Scale = Vec8.Multiply(Vec8.Load(gamma, channel, count, vectorized), rstd),
            };
        }

        /// <summary>x - mean.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Vec8 Centered(Vec8 x) => Vec8.Add(x, _shift);

        /// <summary>(x - mean) scale + beta.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly Vec8 Of(Vec8 centered) => Vec8.Add(Vec8.Multiply(centered, Scale), _beta);
    }
}
