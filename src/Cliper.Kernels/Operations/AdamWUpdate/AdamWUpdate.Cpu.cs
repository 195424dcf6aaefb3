using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

public static unsafe partial class AdamWUpdate
{
    private readonly struct Update(Slot slot, Settings settings)
    {
        public readonly float* Parameter = slot.Parameter.Floats;
        public readonly float* Gradient = slot.Gradient.Floats;
        public readonly float* First = slot.First.Floats;
        public readonly float* Second = slot.Second.Floats;
        public readonly long Length = slot.Parameter.Length;
        public readonly float Keep = (float)(1 - (double)slot.LearningRate * slot.WeightDecay);
        public readonly float NegativeRate = (float)(-slot.LearningRate / (1 - Math.Pow(settings.Beta1, slot.Step)));
        public readonly float Root = (float)Math.Sqrt(1 - Math.Pow(settings.Beta2, slot.Step));
        public readonly float InverseRoot = (float)(1 / Math.Sqrt(1 - Math.Pow(settings.Beta2, slot.Step)));
    }

    private static void StepHost(CpuDevice host, ReadOnlySpan<Slot> slots, Settings settings)
    {
        float scale = settings.GradientScale.IsNull ? 1 : *settings.GradientScale.Floats;
        if (scale == 0)
            return;
        // One region over all tensors: unit u belongs to the tensor whose first unit is the last one not beyond u.
        var updates = new Update[slots.Length];
        var firstUnits = new int[slots.Length];
        int units = 0;
        for (int index = 0; index < slots.Length; index++)
        {
            updates[index] = new Update(slots[index], settings);
            firstUnits[index] = units;
            units = checked(units + (int)((updates[index].Length + RangeLoop.Grain - 1) / RangeLoop.Grain));
        }
        float beta1 = (float)(1 - settings.Beta1), beta2 = (float)settings.Beta2, rest2 = (float)(1 - settings.Beta2);
        if (settings.RoundsToHalf)
        {
            RangeLoop.Run(host, units, 1, new HalfBody(updates, firstUnits, settings, scale));
            return;
        }
        RangeLoop.Run(host, units, 1, new StepBody(updates, firstUnits, beta1, beta2, rest2, (float)settings.Epsilon,
            scale));
    }

    /// <summary>Index of the tensor that a unit of work belongs to.</summary>
    private static int TensorOf(int unit, int[] firstUnits)
    {
        int found = Array.BinarySearch(firstUnits, unit), index = found >= 0 ? found : ~found - 1;
        // An empty tensor shares its first unit with the next one.
        while (index + 1 < firstUnits.Length && firstUnits[index + 1] == unit)
            index++;
        return index;
    }

    /// <summary>The step on fp16 values, each operation rounded as PyTorch rounds it.</summary>
    private readonly struct HalfBody(Update[] updates, int[] firstUnits, Settings settings, float gradientScale)
        : IRangeBody
    {
        private readonly float _beta1 = (float)settings.Beta1, _rest1 = (float)(1 - settings.Beta1),
            _beta2 = (float)settings.Beta2, _rest2 = (float)(1 - settings.Beta2), _epsilon = (float)settings.Epsilon;

        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (int unit = (int)start; unit < end; unit++)
            {
                int index = TensorOf(unit, firstUnits);
                long from = (long)(unit - firstUnits[index]) * RangeLoop.Grain;
                Run(in updates[index], from, Math.Min(updates[index].Length, from + RangeLoop.Grain));
            }
        }

        private void Run(in Update update, long start, long end)
        {
            for (long i = start; i < end; i++)
            {
                float g = Rounded(update.Gradient[i] * gradientScale);
                float p = Rounded(Rounded(update.Parameter[i]) * update.Keep);
                float m = Rounded(Rounded(update.First[i] * _beta1) + _rest1 * g);
                float v = Rounded(Rounded(update.Second[i] * _beta2) + _rest2 * (g * g));
                float denominator = Rounded(Rounded(Rounded(MathF.Sqrt(v)) / update.Root) + _epsilon);
                update.First[i] = m;
                update.Second[i] = v;
                update.Parameter[i] = Rounded(p + update.NegativeRate * (m / denominator));
            }
        }

        private static float Rounded(float value) => (float)(Half)value;
    }

    private readonly struct StepBody(Update[] updates, int[] firstUnits, float rest1, float beta2, float rest2,
        float epsilon, float gradientScale) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            for (int unit = (int)start; unit < end; unit++)
            {
                int index = TensorOf(unit, firstUnits);
                long from = (long)(unit - firstUnits[index]) * RangeLoop.Grain;
                Run<V>(in updates[index], from, Math.Min(updates[index].Length, from + RangeLoop.Grain));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Run<V>(in Update update, long start, long end) where V : struct, ILanes<V>
        {
            float* pp = update.Parameter, pg = update.Gradient, pm = update.First, pv = update.Second;
            V keep = V.Create(update.Keep), rate = V.Create(update.NegativeRate), root = V.Create(update.InverseRoot),
                r1 = V.Create(rest1), b2 = V.Create(beta2), r2 = V.Create(rest2), eps = V.Create(epsilon),
                scale = V.Create(gradientScale);
            long i = start;
            for (; i <= end - V.Count; i += V.Count)
            {
                V g = V.Load(pg + i) * scale, m = V.Load(pm + i), v = V.Load(pv + i), p = V.Load(pp + i) * keep;
                m = V.MultiplyAdd(g - m, r1, m);
                v = V.MultiplyAdd(g * g, r2, v * b2);
                p = V.MultiplyAdd(m / V.MultiplyAdd(V.Sqrt(v), root, eps), rate, p);
                m.Store(pm + i);
                v.Store(pv + i);
                p.Store(pp + i);
            }
            int rest = (int)(end - i);
            if (rest > 0)
            {
                V g = V.LoadPartial(pg + i, rest) * scale, m = V.LoadPartial(pm + i, rest), v = V.LoadPartial(pv + i,
                    rest), p = V.LoadPartial(pp + i, rest) * keep;
                m = V.MultiplyAdd(g - m, r1, m);
                v = V.MultiplyAdd(g * g, r2, v * b2);
                p = V.MultiplyAdd(m / V.MultiplyAdd(V.Sqrt(v), root, eps), rate, p);
                m.StorePartial(pm + i, rest);
                v.StorePartial(pv + i, rest);
                p.StorePartial(pp + i, rest);
            }
        }
    }
}
