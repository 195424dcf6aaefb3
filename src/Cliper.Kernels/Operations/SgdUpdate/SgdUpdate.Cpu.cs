using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class SgdUpdate
{
    private static void StepHost(CpuDevice host, ReadOnlySpan<Slot> slots, float momentum, DeviceArray gradientScale)
    {
        float scale = gradientScale.IsNull ? 1 : *gradientScale.Floats;
        if (scale == 0)
            return;
        foreach (Slot slot in slots)
            RangeLoop.Elements(host, slot.Parameter.Length, new StepBody(slot.Parameter.Floats, slot.Gradient.Floats,
                slot.Velocity.Floats, new Factors(momentum, slot.WeightDecay, -slot.LearningRate, scale)));
    }

    private readonly record struct Factors(float Momentum, float Decay, float NegativeRate, float Scale);

    private readonly struct StepBody(float* parameter, float* gradient, float* velocity, Factors factors) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            float* pp = parameter, pg = gradient, pv = velocity;
            V momentum = V.Create(factors.Momentum), decay = V.Create(factors.Decay),
                rate = V.Create(factors.NegativeRate), scale = V.Create(factors.Scale);
            long i = start;
            for (; i <= end - V.Count; i += V.Count)
            {
                V p = V.Load(pp + i), v = V.Load(pv + i);
                v = V.MultiplyAdd(v, momentum, V.MultiplyAdd(p, decay, V.Load(pg + i) * scale));
                v.Store(pv + i);
                V.MultiplyAdd(v, rate, p).Store(pp + i);
            }
            int rest = (int)(end - i);
            if (rest <= 0)
                return;
            V last = V.LoadPartial(pp + i, rest), speed = V.LoadPartial(pv + i, rest);
            speed = V.MultiplyAdd(speed, momentum, V.MultiplyAdd(last, decay, V.LoadPartial(pg + i, rest) * scale));
            speed.StorePartial(pv + i, rest);
            V.MultiplyAdd(speed, rate, last).StorePartial(pp + i, rest);
        }
    }
}
