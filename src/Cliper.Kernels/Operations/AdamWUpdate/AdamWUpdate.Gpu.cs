using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class AdamWUpdate
{
    // A block updates a run of one tensor's elements; a table on the device says which.
    private const int GpuThreads = 256, PerBlock = 4096;

    // The type parameter is the format of the 16-bit copies.
    private static readonly KernelFamily StepKernels = new(typeof(AdamWUpdate), nameof(StepKernel), "AdamW",
        GpuThreads, 1, 96);

    private static readonly KernelFamily HalfStepKernels = new(typeof(AdamWUpdate), nameof(HalfStepKernel),
        "AdamW in fp16", GpuThreads, 1, 96);

    internal static IEnumerable<GpuKernel> GpuKernels => StepKernels.ForEachDtype16.Concat(
        HalfStepKernels.ForEachDtype16);

    private static void StepGpu(GpuDevice gpu, ReadOnlySpan<Slot> slots, Settings settings)
    {
        var table = new TensorRow[slots.Length];
        int blocks = 0;
        for (int index = 0; index < slots.Length; index++)
        {
            Slot slot = slots[index];
            table[index] = new TensorRow
            {
                FirstBlock = blocks,
                Length = slot.Parameter.Length,
                Parameter = slot.Parameter.Address,
                Gradient = slot.Gradient.Address,
                FirstMoment = slot.First.Address,
                SecondMoment = slot.Second.Address,
                Copy = slot.Copy.Address,
                Keep = (float)(1 - (double)slot.LearningRate * slot.WeightDecay),
                Rate = (float)(-slot.LearningRate / (1 - Math.Pow(settings.Beta1, slot.Step))),
                Root = (float)(settings.RoundsToHalf ? Math.Sqrt(1 - Math.Pow(settings.Beta2, slot.Step))
                    : 1 / Math.Sqrt(1 - Math.Pow(settings.Beta2, slot.Step))),
            };
            blocks = checked(blocks + Blocks.Cover(slot.Parameter.Length, PerBlock));
        }
        DeviceArray rows = TensorTable.Upload<TensorRow>(gpu, table);
        if (settings.RoundsToHalf)
            gpu.Run(HalfStepKernels[gpu.Activations.Dtype()], new Blocks(blocks), rows, slots.Length,
                (float)settings.Beta1, (float)(1 - settings.Beta1), (float)settings.Beta2,
                (float)(1 - settings.Beta2), (float)settings.Epsilon, settings.GradientScale);
        else
            gpu.Run(StepKernels[gpu.Activations.Dtype()], new Blocks(blocks), rows, slots.Length,
                (float)(1 - settings.Beta1), (float)settings.Beta2, (float)(1 - settings.Beta2),
                (float)settings.Epsilon, settings.GradientScale);
        gpu.Free(rows);
    }

    /// <summary>One tensor of a launch.</summary>
    private struct TensorRow
    {
        /// <summary>
        /// Index of the tensor's first block, its length, and the addresses of its arrays; a copy of 0 is none.
        /// </summary>
        public long FirstBlock, Length, Parameter, Gradient, FirstMoment, SecondMoment, Copy;

        /// <summary>The factors of p, of m / (sqrt(v) root + epsilon), and of sqrt(v); its divisor where
        /// values are rounded to fp16.</summary>
        public float Keep, Rate, Root;
    }
}
