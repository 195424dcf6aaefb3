using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class AdamWUpdate
{
    // A block has a run of one tensor's elements; a table on the device says which.
    private const int GpuThreads = 256, PerBlock = 4096, Fields = 9;

    // By the format of the copies.
    private static readonly KernelFamily StepKernels = new(typeof(AdamWUpdate), nameof(StepKernel), "AdamW", GpuThreads, 1, 96);

    internal static IEnumerable<GpuKernel> GpuKernels => StepKernels.ForEachDtype16;

    private static void StepGpu(GpuDevice gpu, ReadOnlySpan<Slot> slots, Settings settings)
    {
        // A row a tensor: first block, length, five addresses, (keep, rate), (root, -).
        var table = new long[slots.Length * Fields];
        int blocks = 0;
        for (int index = 0; index < slots.Length; index++)
        {
            Slot slot = slots[index];
            Span<long> row = table.AsSpan(index * Fields, Fields);
            (row[0], row[1]) = (blocks, slot.Parameter.Length);
            (row[2], row[3], row[4], row[5]) = (slot.Parameter.Address, slot.Gradient.Address, slot.First.Address, slot.Second.Address);
            row[6] = slot.Copy.Address;
            row[7] = TensorTable.Pair((float)(1 - (double)slot.LearningRate * slot.WeightDecay),
                (float)(-slot.LearningRate / (1 - Math.Pow(settings.Beta1, slot.Step))));
            row[8] = TensorTable.Pair((float)(1 / Math.Sqrt(1 - Math.Pow(settings.Beta2, slot.Step))), 0);
            blocks = checked(blocks + Blocks.Cover(slot.Parameter.Length, PerBlock));
        }
        DeviceArray rows = gpu.From(MemoryMarshal.Cast<long, int>(table));
        gpu.Run(StepKernels[gpu.Activations.Dtype()], new Blocks(blocks), rows, slots.Length, (float)(1 - settings.Beta1),
            (float)settings.Beta2, (float)(1 - settings.Beta2), (float)settings.Epsilon, settings.GradientScale);
        gpu.Free(rows);
    }
}
