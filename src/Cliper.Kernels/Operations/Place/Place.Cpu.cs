using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Place
{
    private static void ForwardHost(CpuDevice host, DeviceArray x, DeviceArray insert, DeviceArray slots,
        DeviceArray y, Sizes sizes)
    {
        CheckSlots(slots, sizes);
        RangeLoop.Rows(host, sizes.Sequences, (long)sizes.Tokens * sizes.Width, new ForwardBody(x.Floats,
            insert.Floats, slots.Ints, y.Floats, sizes));
    }

    private static void BackwardHost(CpuDevice host, DeviceArray dy, DeviceArray slots, GradientTarget dx,
        GradientTarget dinsert, Sizes sizes)
    {
        CheckSlots(slots, sizes);
        RangeLoop.Rows(host, sizes.Sequences, (long)sizes.Tokens * sizes.Width, new BackwardBody(dy.Floats,
            slots.Ints, dx, dinsert, sizes));
    }

    private static void CheckSlots(DeviceArray slots, Sizes sizes)
    {
        int* slot = slots.Ints;
        for (int sequence = 0; sequence < sizes.Sequences; sequence++, slot += sizes.Inserted)
            for (int i = 0; i < sizes.Inserted; i++)
            {
                if ((uint)slot[i] >= (uint)sizes.Tokens)
                    throw new ArgumentOutOfRangeException(nameof(slots),
                        $"slot {i} of sequence {sequence} is token {slot[i]} of {sizes.Tokens}");
                for (int j = 0; j < i; j++)
                    if (slot[i] == slot[j])
                        throw new ArgumentOutOfRangeException(nameof(slots),
                            $"slots {j} and {i} of sequence {sequence} are both token {slot[i]}");
            }
    }

    private readonly struct ForwardBody(float* x, float* insert, int* slots, float* y, Sizes sizes) : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int inserted = sizes.Inserted, width = sizes.Width;
            long row = (long)sizes.Tokens * width;
            RowMath.Write<V>(x + start * row, y + start * row, (end - start) * row, add: false);
            for (long p = start; p < end; p++)
                for (int l = 0; l < inserted; l++)
                    RowMath.Write<V>(insert + (p * inserted + l) * width,
                        y + p * row + (long)slots[p * inserted + l] * width, width, add: false);
        }
    }

    private readonly struct BackwardBody(float* dy, int* slots, GradientTarget dx, GradientTarget dinsert, Sizes sizes)
        : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            int inserted = sizes.Inserted, width = sizes.Width;
            long row = (long)sizes.Tokens * width;
            for (long p = start; p < end; p++)
            {
                int* slot = slots + p * inserted;
                if (!dinsert.IsNull)
                    for (int l = 0; l < inserted; l++)
                        RowMath.Write<V>(dy + p * row + (long)slot[l] * width,
                            dinsert.Array.Floats + (p * inserted + l) * width, width, dinsert.Accumulate);
                if (dx.IsNull)
                    continue;
                var holes = new ReadOnlySpan<int>(slot, inserted);
                for (int token = 0; token < sizes.Tokens; token++)
                {
                    float* target = dx.Array.Floats + p * row + (long)token * width;
                    if (!holes.Contains(token))
                        RowMath.Write<V>(dy + p * row + (long)token * width, target, width, dx.Accumulate);
                    else if (!dx.Accumulate)
                        new Span<float>(target, width).Clear();
                }
            }
        }
    }
}
