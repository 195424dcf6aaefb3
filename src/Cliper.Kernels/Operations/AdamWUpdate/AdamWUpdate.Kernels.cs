using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class AdamWUpdate
{
    [DeviceCode]
    private static void StepKernel<TDtype>(GlobalPtrInt32 table, int tensors, float rest1, float beta2, float rest2, float epsilon,
        GlobalPtrFp32 gradientScale) where TDtype : struct, IDtype16
    {
        float scale = gradientScale.IsNull ? 1f : gradientScale.Load(0);
        if (scale == 0f)
            return;
        var row = TensorTable.Row.Find(table, tensors, Fields);
        GlobalPtrFp32 p = new(row.Long(2)), g = new(row.Long(3)), first = new(row.Long(4)), second = new(row.Long(5));
        var copy = new GlobalPtr16<TDtype>(row.Long(6));
        long length = row.Long(1), start = (long)row.Block * PerBlock;
        Constants constants;
        (constants.Keep, constants.Rate, constants.Root) = (row.Low(7), row.High(7), row.Low(8));
        (constants.Rest1, constants.Beta2, constants.Rest2) = (rest1, beta2, rest2);
        (constants.Epsilon, constants.Scale) = (epsilon, scale);
        for (int step = 0; step < PerBlock / (GpuThreads * 4); step++)
        {
            // Tensors begin at multiples of 256 bytes, a run at one of 16 KB: four elements are 16 bytes in one place.
            long at = start + (step * GpuThreads + Group.IdxX) * 4;
            if (at + 4 <= length)
            {
                F4 gs = g.Load4(at), ms = first.Load4(at), vs = second.Load4(at), ps = p.Load4(at);
                UpdateElement(ref ps.X, gs.X, ref ms.X, ref vs.X, constants);
                UpdateElement(ref ps.Y, gs.Y, ref ms.Y, ref vs.Y, constants);
                UpdateElement(ref ps.Z, gs.Z, ref ms.Z, ref vs.Z, constants);
                UpdateElement(ref ps.W, gs.W, ref ms.W, ref vs.W, constants);
                first.Store4(at, ms);
                second.Store4(at, vs);
                p.Store4(at, ps);
                if (!copy.IsNull)
                    copy.Store4(at, ps);
                continue;
            }
            for (long i = at; i < at + 4 && i < length; i++)
            {
                float value = p.Load(i), m = first.Load(i), v = second.Load(i);
                UpdateElement(ref value, g.Load(i), ref m, ref v, constants);
                first.Store(i, m);
                second.Store(i, v);
                p.Store(i, value);
                if (!copy.IsNull)
                    copy.Store(i, value);
            }
        }
    }

    private struct Constants
    {
        public float Keep, Rate, Root, Rest1, Beta2, Rest2, Epsilon, Scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void UpdateElement(ref float p, float gradient, ref float m, ref float v, Constants c)
    {
        gradient *= c.Scale;
        m = Ptx.Fma(gradient - m, c.Rest1, m);
        v = Ptx.Fma(gradient * gradient, c.Rest2, v * c.Beta2);
        p = Ptx.Fma(m / Ptx.Fma(Ptx.SquareRoot(v), c.Root, c.Epsilon), c.Rate, p * c.Keep);
    }
}
