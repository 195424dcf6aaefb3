using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class CliperLoss
{
    /// <summary>
    /// Both losses of a batch, and what their gradients need: each sample's nearest subclass and factor alpha.
    /// </summary>
    /// <remarks>
    /// One block of 256 threads, a sample a thread at a time: a batch has a few thousand logits, and every sample's
    /// factor needs the counts of all. Shared memory: two floats a thread. A label outside the classes makes both
    /// losses NaN. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardKernel(GlobalPtrFp32 logits, GlobalPtrInt32 labels, GlobalPtrFp32 losses,
        GlobalPtrFp32 alpha, GlobalPtrInt32 nearest, GlobalPtrInt32 counts, int batch, int classes, int subclasses,
        int counting)
    {
        ArrayView<float> fines = SharedMemory.Allocate<float>(GpuThreads),
            margins = SharedMemory.Allocate<float>(GpuThreads);
        int width = classes * subclasses, thread = Group.IdxX;

        // (1) Find each sample's nearest subclass of its class.
        for (int b = thread; b < batch; b += GpuThreads)
        {
            int label = labels.Load(b);
            nearest.Store(b, label >= 0 && label < classes ? ArgMax(logits, (long)b * width + label * subclasses,
                subclasses) : 0);
        }
        Group.Barrier();

        // (2) Count the samples of each subclass.
        for (int place = thread; place < width; place += GpuThreads)
        {
            int count = 0;
            for (int b = 0; b < batch; b++)
                if (labels.Load(b) * subclasses + nearest.Load(b) == place)
                    count++;
            counts.Store(place, count);
        }
        Group.Barrier();

        // (3) Sum both losses over this thread's samples.
        float fine = 0, margin = 0;
        for (int b = thread; b < batch; b += GpuThreads)
        {
            int label = labels.Load(b), positive = nearest.Load(b);
            if (label < 0 || label >= classes)
            {
                fine = margin = float.NaN;
                continue;
            }
            float factor = FactorOf(counts, label * subclasses, positive, subclasses, counting);
            alpha.Store(b, factor);
            long row = (long)b * width;
            positive += label * subclasses;
            fine += factor * (FineLogSum(logits, row, positive, label, width, subclasses) - logits.Load(row
                + positive));
            margin += MarginLogSum(logits, row, label, classes, subclasses)
                - logits.Load(row + label * subclasses + ArgMin(logits, row + label * subclasses, subclasses));
        }

        // (4) Sum them over the block, in the threads' order, and divide by the batch.
        fines[thread] = fine;
        margins[thread] = margin;
        Group.Barrier();
        if (thread != 0)
            return;
        fine = margin = 0;
        for (int other = 0; other < GpuThreads; other++)
        {
            fine += fines[other];
            margin += margins[other];
        }
        losses.Store(0, fine / batch);
        losses.Store(1, margin / batch);
    }

    /// <summary>dlogits (+)= the gradients of both losses, weighted by dlosses.</summary>
    /// <remarks>
    /// A thread has one sample, a block 256; no shared memory. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardKernel(GlobalPtrFp32 logits, GlobalPtrInt32 labels, GlobalPtrFp32 alpha,
        GlobalPtrInt32 nearest, GlobalPtrFp32 dlosses, GlobalPtrFp32 dlogits, int accumulate, int batch, int classes,
        int subclasses)
    {
        int b = Grid.IdxX * GpuThreads + Group.IdxX, width = classes * subclasses;
        if (b >= batch)
            return;
        long row = (long)b * width;
        int label = labels.Load(b), positive = label * subclasses + nearest.Load(b);

        // (1) Write the gradient of the fine loss: softmax minus one hot, over the positive and all other classes'
        // subclasses.
        float weight = alpha.Load(b) * dlosses.Load(0) / batch;
        float logSum = FineLogSum(logits, row, positive, label, width, subclasses);
        for (int i = 0; i < width; i++)
        {
            float d = 0;
            if (i == positive || i / subclasses != label)
                d = weight * (Exp(logits.Load(row + i) - logSum) - (i == positive ? 1f : 0f));
            dlogits.Store(row + i, accumulate != 0 ? dlogits.Load(row + i) + d : d);
        }

        // (2) Add the gradient of the margin loss, which each class has at one subclass.
        weight = dlosses.Load(1) / batch;
        logSum = MarginLogSum(logits, row, label, classes, subclasses);
        for (int k = 0; k < classes; k++)
        {
            long at = Extreme(logits, row, k, label, subclasses);
            dlogits.Store(at, dlogits.Load(at) + weight * (Exp(logits.Load(at) - logSum) - (k == label ? 1f : 0f)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Exp(float x) => Ptx.Exp2(x * Log2OfE);

    private static float FactorOf(GlobalPtrInt32 counts, int first, int nearest, int subclasses, int counting)
    {
        if (counting == (int)Counting.None)
            return 1;
        float sum = 0, weights = 0;
        for (int m = 0; m < subclasses; m++)
        {
            int count = counts.Load(first + m);
            if (count == 0 && counting == (int)Counting.LeftOut)
                continue;
            float value = count == 0 ? -1f / 99 : (float)count;
            sum += value;
            weights += Exp(1 / value);
        }
        float own = counts.Load(first + nearest);
        return sum * Exp(1 / own) / weights / own;
    }

    private static float FineLogSum(GlobalPtrFp32 logits, long row, int positive, int label, int width, int subclasses)
    {
        float max = logits.Load(row + positive), sum = 0;
        for (int i = 0; i < width; i++)
            if (i / subclasses != label)
                max = Ptx.Max(max, logits.Load(row + i));
        for (int i = 0; i < width; i++)
            if (i == positive || i / subclasses != label)
                sum += Exp(logits.Load(row + i) - max);
        return max + Ptx.Log2(sum) * LogOf2;
    }

    private static float MarginLogSum(GlobalPtrFp32 logits, long row, int label, int classes, int subclasses)
    {
        float max = float.NegativeInfinity, sum = 0;
        for (int k = 0; k < classes; k++)
            max = Ptx.Max(max, logits.Load(Extreme(logits, row, k, label, subclasses)));
        for (int k = 0; k < classes; k++)
            sum += Exp(logits.Load(Extreme(logits, row, k, label, subclasses)) - max);
        return max + Ptx.Log2(sum) * LogOf2;
    }

    private static long Extreme(GlobalPtrFp32 logits, long row, int k, int label, int subclasses)
    {
        long first = row + k * subclasses;
        return first + (k == label ? ArgMin(logits, first, subclasses) : ArgMax(logits, first, subclasses));
    }

    // Ties go to the lowest index, and a NaN is both smallest and largest, as on the CPU.
    private static int ArgMax(GlobalPtrFp32 x, long first, int count)
    {
        int best = 0;
        float value = x.Load(first);
        for (int i = 1; i < count; i++)
        {
            float other = x.Load(first + i);
            if (!float.IsNaN(value) && (other > value || float.IsNaN(other)))
            {
                best = i;
                value = other;
            }
        }
        return best;
    }

    private static int ArgMin(GlobalPtrFp32 x, long first, int count)
    {
        int best = 0;
        float value = x.Load(first);
        for (int i = 1; i < count; i++)
        {
            float other = x.Load(first + i);
            if (!float.IsNaN(value) && (other < value || float.IsNaN(other)))
            {
                best = i;
                value = other;
            }
        }
        return best;
    }
}
