using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class SgdUpdate
{
    /// <summary>Reads a <see cref="TensorRow"/>; each property is the field of its name.</summary>
    [DeviceCode]
    private readonly struct TensorRowView
    {
        /// <summary>Size of a row in units of 64 bits.</summary>
        public const int Units = 7;

        private readonly TensorTable.Row _row;

        public TensorRowView(TensorTable.Row row) => _row = row;

        /// <summary>Index of this block among the blocks of its tensor.</summary>
        public int Block => _row.Block;

        public long Length => _row.Long(1);

        public long Parameter => _row.Long(2);

        public long Gradient => _row.Long(3);

        public long Velocity => _row.Long(4);

        public long Copy => _row.Long(5);

        public float Rate => _row.Low(6);

        public float Decay => _row.High(6);
    }

    /// <summary>One step of SGD with momentum over many tensors, each read and written once.</summary>
    /// <remarks>
    /// A block of 256 threads updates 4096 elements of one tensor, four a thread at a time with 16-byte accesses; it
    /// uses no shared memory. Any GPU from compute capability 7.0 on, copies in bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void StepKernel<TDtype>(GlobalPtrInt32 table, int tensors, float momentum,
        GlobalPtrFp32 gradientScale) where TDtype : struct, IDtype16
    {
        // (1) Leave everything as it is where the gradients are not finite, which a scale of 0 says.
        float scale = gradientScale.IsNull ? 1f : gradientScale.Load(0);
        if (scale == 0f)
            return;

        // (2) Find the tensor that this block belongs to.
        var row = new TensorRowView(TensorTable.Row.Find(table, tensors, TensorRowView.Units));
        GlobalPtrFp32 p = new(row.Parameter), g = new(row.Gradient), velocity = new(row.Velocity);
        var copy = new GlobalPtr16<TDtype>(row.Copy);
        long length = row.Length, start = (long)row.Block * PerBlock;
        var factors = new StepFactors { Momentum = momentum, Decay = row.Decay, Rate = row.Rate, Scale = scale };

        // (3) Update four elements at a time; the last ones of a tensor one by one.
        for (int step = 0; step < PerBlock / (GpuThreads * 4); step++)
        {
            // Tensors begin at multiples of 256 bytes and runs at multiples of 16 KiB, so that four elements are
            // aligned.
            long at = start + (step * GpuThreads + Group.IdxX) * 4;
            if (at + 4 <= length)
            {
                F4 gs = g.Load4(at), vs = velocity.Load4(at), ps = p.Load4(at);
                UpdateElement(ref ps.X, gs.X, ref vs.X, factors);
                UpdateElement(ref ps.Y, gs.Y, ref vs.Y, factors);
                UpdateElement(ref ps.Z, gs.Z, ref vs.Z, factors);
                UpdateElement(ref ps.W, gs.W, ref vs.W, factors);
                velocity.Store4(at, vs);
                p.Store4(at, ps);
                if (!copy.IsNull)
                    copy.Store4(at, ps);
                continue;
            }
            for (long i = at; i < at + 4 && i < length; i++)
            {
                float value = p.Load(i), v = velocity.Load(i);
                UpdateElement(ref value, g.Load(i), ref v, factors);
                velocity.Store(i, v);
                p.Store(i, value);
                if (!copy.IsNull)
                    copy.Store(i, value);
            }
        }
    }

    private struct StepFactors
    {
        public float Momentum, Decay, Rate, Scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void UpdateElement(ref float p, float gradient, ref float v, StepFactors f)
    {
        v = Ptx.Fma(v, f.Momentum, Ptx.Fma(p, f.Decay, gradient * f.Scale));
        p = Ptx.Fma(v, f.Rate, p);
    }
}
