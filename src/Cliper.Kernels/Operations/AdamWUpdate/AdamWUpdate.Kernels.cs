using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class AdamWUpdate
{
    /// <summary>Reads a <see cref="TensorRow"/>; each property is the field of its name.</summary>
    [DeviceCode]
    private readonly struct TensorRowView
    {
        /// <summary>Size of a row in units of 64 bits.</summary>
        public const int Units = 9;

        private readonly TensorTable.Row _row;

        public TensorRowView(TensorTable.Row row) => _row = row;

        /// <summary>Index of this block among the blocks of its tensor.</summary>
        public int Block => _row.Block;

        public long Length => _row.Long(1);

        public long Parameter => _row.Long(2);

        public long Gradient => _row.Long(3);

        public long FirstMoment => _row.Long(4);

        public long SecondMoment => _row.Long(5);

        public long Copy => _row.Long(6);

        public float Keep => _row.Low(7);

        public float Rate => _row.High(7);

        public float Root => _row.Low(8);
    }

    /// <summary>One step of AdamW over many tensors, each read and written once.</summary>
    /// <remarks>
    /// A block of 256 threads updates 4096 elements of one tensor, four a thread at a time with 16-byte accesses; it
    /// uses no shared memory. Any GPU from compute capability 7.0 on, copies in bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void StepKernel<TDtype>(GlobalPtrInt32 table, int tensors, float rest1, float beta2, float rest2,
        float epsilon, GlobalPtrFp32 gradientScale) where TDtype : struct, IDtype16
    {
        // (1) Leave everything as it is where the gradients are not finite, which a scale of 0 says.
        float scale = gradientScale.IsNull ? 1f : gradientScale.Load(0);
        if (scale == 0f)
            return;

        // (2) Find the tensor that this block belongs to.
        var row = new TensorRowView(TensorTable.Row.Find(table, tensors, TensorRowView.Units));
        GlobalPtrFp32 p = new(row.Parameter), g = new(row.Gradient), first = new(row.FirstMoment),
            second = new(row.SecondMoment);
        var copy = new GlobalPtr16<TDtype>(row.Copy);
        long length = row.Length, start = (long)row.Block * PerBlock;
        var constants = new Constants
        {
            Keep = row.Keep,
            Rate = row.Rate,
            Root = row.Root,
            Rest1 = rest1,
            Beta2 = beta2,
            Rest2 = rest2,
            Epsilon = epsilon,
            Scale = scale,
        };

        // (3) Update four elements at a time; the last ones of a tensor one by one.
        for (int step = 0; step < PerBlock / (GpuThreads * 4); step++)
        {
            // Tensors begin at multiples of 256 bytes and runs at multiples of 16 KiB, so that four elements are
            // aligned.
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

    /// <summary>One step of AdamW on fp16 values that are kept in fp32, each operation rounded to fp16.</summary>
    /// <remarks>
    /// A block of 256 threads updates 4096 elements of one tensor, one a thread at a time; it uses no shared memory. No
    /// product may be contracted with the sum after it, or its bits would not be those of the CPU. Any GPU from compute
    /// capability 7.0 on, copies in bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void HalfStepKernel<TDtype>(GlobalPtrInt32 table, int tensors, float beta1, float rest1,
        float beta2, float rest2, float epsilon, GlobalPtrFp32 gradientScale) where TDtype : struct, IDtype16
    {
        // (1) Leave everything as it is where the gradients are not finite, which a scale of 0 says.
        float scale = gradientScale.IsNull ? 1f : gradientScale.Load(0);
        if (scale == 0f)
            return;

        // (2) Find the tensor that this block belongs to.
        var row = new TensorRowView(TensorTable.Row.Find(table, tensors, TensorRowView.Units));
        GlobalPtrFp32 parameters = new(row.Parameter), gradients = new(row.Gradient), first = new(row.FirstMoment),
            second = new(row.SecondMoment);
        var copy = new GlobalPtr16<TDtype>(row.Copy);
        float keep = row.Keep, rate = row.Rate, root = row.Root;

        // (3) Update its elements one by one.
        long start = (long)row.Block * PerBlock, end = start + PerBlock < row.Length ? start + PerBlock : row.Length;
        for (long i = start + Group.IdxX; i < end; i += GpuThreads)
        {
            float g = RoundedToHalf(Ptx.Multiply(gradients.Load(i), scale));
            float p = RoundedToHalf(Ptx.Multiply(RoundedToHalf(parameters.Load(i)), keep));
            float m = RoundedToHalf(Ptx.Add(RoundedToHalf(Ptx.Multiply(first.Load(i), beta1)),
                Ptx.Multiply(rest1, g)));
            float v = RoundedToHalf(Ptx.Add(RoundedToHalf(Ptx.Multiply(second.Load(i), beta2)),
                Ptx.Multiply(rest2, Ptx.Multiply(g, g))));
            float denominator = RoundedToHalf(Ptx.Add(
                RoundedToHalf(RoundedToHalf(Ptx.SquareRoot(v)) / root), epsilon));
            p = RoundedToHalf(Ptx.Add(p, Ptx.Multiply(rate, m / denominator)));
            first.Store(i, m);
            second.Store(i, v);
            parameters.Store(i, p);
            if (!copy.IsNull)
                copy.Store(i, p);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float RoundedToHalf(float value) => Ptx.UnpackFp16(Ptx.PackFp16(value, 0)).X;

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
