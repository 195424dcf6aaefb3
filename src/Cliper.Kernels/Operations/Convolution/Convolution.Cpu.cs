using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Convolution
{
    private static void UnfoldCpu(CpuDevice host, DeviceArray x, DeviceArray unfolded, SlidingWindow window,
        Block block) =>
        RangeLoop.Rows(host, block.Lines, (long)block.PixelsPerLine * window.Elements,
            new UnfoldRange(x.Floats, unfolded.Floats, window, block));

    // A unit has whole lines of the input and adds to them alone, whatever the other units do.
    private static void FoldCpu(CpuDevice host, DeviceArray unfolded, DeviceArray dx, SlidingWindow window, Block block)
    {
        int outputHeight = window.Output(1).Height, height = window.Input.Height;
        int firstImage = block.FirstLine / outputHeight, endImage = (block.FirstLine + block.Lines - 1)
            / outputHeight + 1;
        RangeLoop.Rows(host, (long)(endImage - firstImage) * height, window.Input.Line * window.Down.Kernel,
            new FoldRange(unfolded.Floats, dx.Floats + firstImage * height * window.Input.Line, window, block,
                firstImage * outputHeight));
    }

    /// <summary>Copies what the windows of lines of outputs see: of each row of a window one run of memory.</summary>
    private readonly struct UnfoldRange(float* x, float* unfolded, SlidingWindow window, Block block) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            (FeatureMap input, WindowAxis down, WindowAxis across) = window;
            int channels = input.Channels, outputHeight = down.Outputs(input.Height), run = across.Kernel * channels;
            for (long line = start; line < end; line++)
            {
                int all = block.FirstLine + (int)line, image = all / outputHeight, row = all % outputHeight;
                (int firstRow, int endRow) = down.Inside(row, input.Height);
                float* source = x + ((long)image * input.Height + down.Start(row)) * input.Line;
                float* target = unfolded + line * block.PixelsPerLine * window.Elements;
                for (int column = 0; column < block.PixelsPerLine; column++)
                {
                    (int first, int last) = across.Inside(column, input.Width);
                    long at = (long)across.Start(column) * channels;
                    for (int k = 0; k < down.Kernel; k++, target += run)
                    {
                        if (k < firstRow || k >= endRow)
                            Zero<V>(target, run);
                        else if (last - first == across.Kernel)
                            Copy<V>(source + k * input.Line + at, target, run);
                        else
                            CopyInside<V>(source + k * input.Line + at, target, first * channels, last * channels, run);
                    }
                }
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void Copy<V>(float* source, float* target, int count) where V : struct, ILanes<V>
        {
            int i = 0;
            for (; i <= count - V.Count; i += V.Count)
                V.Load(source + i).Store(target + i);
            if (i < count)
                V.LoadPartial(source + i, count - i).StorePartial(target + i, count - i);
        }

        private static void CopyInside<V>(float* source, float* target, int first, int end, int count)
            where V : struct, ILanes<V>
        {
            Zero<V>(target, count);
            if (end > first)
                Copy<V>(source + first, target + first, end - first);
        }

        private static void Zero<V>(float* target, int count) where V : struct, ILanes<V> =>
            new Span<float>(target, count).Clear();
    }

    /// <summary>Adds to lines of the input what the windows that see them hold, in the order of the outputs.</summary>
    private readonly struct FoldRange(float* unfolded, float* dx, SlidingWindow window, Block block, int firstLine)
        : IRangeBody
    {
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            (FeatureMap input, WindowAxis down, WindowAxis across) = window;
            int channels = input.Channels, outputHeight = down.Outputs(input.Height), run = across.Kernel * channels;
            for (long line = start; line < end; line++)
            {
                int image = (int)(line / input.Height), row = (int)(line % input.Height);
                float* target = dx + line * input.Line;
                for (int k = down.Kernel - 1; k >= 0; k--)
                {
                    int place = row + down.Before - k, outputRow = place / down.Stride;
                    // Counted from the block's first line; lines of its first and last image may lie outside.
                    int from = firstLine + image * outputHeight + outputRow - block.FirstLine;
                    if (place < 0 || place % down.Stride != 0 || outputRow >= outputHeight || from < 0
                        || from >= block.Lines)
                        continue;
                    float* source = unfolded + (long)from * block.PixelsPerLine * window.Elements + (long)k * run;
                    for (int column = 0; column < block.PixelsPerLine; column++, source += window.Elements)
                    {
                        (int first, int last) = across.Inside(column, input.Width);
                        float* pixel = target + ((long)across.Start(column) + first) * channels;
                        if (last > first)
                            RowMath.Add<V>(source + first * channels, pixel, pixel, (last - first) * channels);
                    }
                }
            }
        }
    }
}
