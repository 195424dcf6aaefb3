using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class SgdUpdate
{
    // A block updates a run of one tensor's elements; a table on the device says which.
    private const int GpuThreads = 256, PerBlock = 4096;

    // The type parameter is the format of the 16-bit copies.
    private static readonly KernelFamily StepKernels = new(typeof(SgdUpdate), nameof(StepKernel), "SGD", GpuThreads, 1,
        96);

    internal static IEnumerable<GpuKernel> GpuKernels => StepKernels.ForEachDtype16;

    private static void StepGpu(GpuDevice gpu, ReadOnlySpan<Slot> slots, float momentum, DeviceArray gradientScale)
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
                Velocity = slot.Velocity.Address,
                Copy = slot.Copy.Address,
                Rate = -slot.LearningRate,
                Decay = slot.WeightDecay,
            };
            blocks = checked(blocks + Blocks.Cover(slot.Parameter.Length, PerBlock));
        }
        DeviceArray rows = TensorTable.Upload<TensorRow>(gpu, table);
        gpu.Run(StepKernels[gpu.Activations.Dtype()], new Blocks(blocks), rows, slots.Length, momentum, gradientScale);
        gpu.Free(rows);
    }

    /// <summary>One tensor of a launch.</summary>
    private struct TensorRow
    {
        /// <summary>
        /// Index of the tensor's first block, its length, and the addresses of its arrays; a copy of 0 is none.
        /// </summary>
        public long FirstBlock, Length, Parameter, Gradient, Velocity, Copy;

        /// <summary>The factors of v in p, below 0, and of p in the gradient.</summary>
        public float Rate, Decay;
    }
}
