using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <content>
/// A worker unfolds a block of outputs and multiplies it by itself, in scratch of its own: one region of work for a
/// whole convolution, and unfolded elements that stay in the cache of the core that wrote them.
/// </content>
public static unsafe partial class Convolution
{
    // Blocks a worker from which on workers with a block each are busy to the end.
    private const int BlocksPerThread = 4;

    // A weight's gradient is summed in fixed slices of the blocks, and then over the slices in order; their number and
    // the floats that they take are bounded.
    private const int FewestSlices = 8, MostSlices = 16, MostSliceFloats = 1 << 22;

    private static int BlocksOf(CpuDevice host, SlidingWindow window) =>
        (LinesOf(window) + LinesAtOnce(host, window) - 1) / LinesAtOnce(host, window);

    private static int LinesOf(SlidingWindow window) =>
        checked(window.Input.Images * window.Down.Outputs(window.Input.Height));

    private static bool HasManyBlocks(CpuDevice host, SlidingWindow window) =>
        !window.IsPointwise && BlocksOf(host, window) >= BlocksPerThread * host.Threads;

    private static int Slices(CpuDevice host, SlidingWindow window, int features) => (int)Math.Min(
        Math.Min(BlocksOf(host, window), MostSlices), MostSliceFloats / ((long)features * window.Elements));

    /// <summary>The weight of the convolution that gives dx from dy where the stride is 1: its taps in the opposite
    /// order, [kernel rows, kernel columns, features] by channels.</summary>
    private static PackedMatrix PackFlipped(CpuDevice host, DeviceArray weight, SlidingWindow window, int features)
    {
        int channels = window.Input.Channels, elements = window.Elements;
        var taps = new Matrix[window.Taps];
        for (int tap = 0; tap < taps.Length; tap++)
        {
            long start = (long)(taps.Length - 1 - tap) * channels;
            taps[tap] = new Matrix(weight.Slice(start, weight.Length - start), features, channels, elements, 1);
        }
        return Gemm.PackCpu(host, taps);
    }

    /// <summary>The window by which dx is a convolution of dy where the stride is 1.</summary>
    private static SlidingWindow Flipped(SlidingWindow window, int features)
    {
        return new SlidingWindow(window.Output(features), Flip(window.Down), Flip(window.Across));

        static WindowAxis Flip(WindowAxis axis) => axis with
        {
            Before = axis.Kernel - 1 - axis.Before,
            After = axis.Kernel - 1 - axis.After
        };
    }

    private static bool CanBeFlipped(WindowAxis axis) =>
        axis.Stride == 1 && axis.Before < axis.Kernel && axis.After < axis.Kernel;

    private static void ForwardBlocks<TEpilogue>(CpuDevice host, DeviceArray x, PackedMatrix weight, DeviceArray y,
        SlidingWindow window, TEpilogue epilogue, bool accumulate) where TEpilogue : struct, ICpuEpilogue =>
        RunUnits(host, BlocksOf(host, window),
            new ForwardUnits<TEpilogue>(host, x, weight, y, window, epilogue, accumulate));

    private static void BackwardWeightSlices(CpuDevice host, DeviceArray x, DeviceArray dy, GradientTarget dweight,
        SlidingWindow window, int features)
    {
        int slices = Slices(host, window, features);
        SumSlices(host, dweight, slices, parts => new WeightUnits(host, x, dy, parts, window, features, slices));
    }

    /// <summary>Computes a part of a weight's gradient in each slice, and adds them in order.</summary>
    private static void SumSlices<TBody>(CpuDevice host, GradientTarget dweight, int slices,
        Func<DeviceArray, TBody> body) where TBody : struct, IUnitBody
    {
        int length = checked((int)dweight.Array.Length);
        DeviceArray parts = host.Allocate((long)slices * length);
        RunUnits(host, slices, body(parts));
        ColumnSum.Forward(parts, dweight, slices, length, length);
        host.Free(parts);
    }

    /// <summary>Units of work, each done by one worker in scratch of its own.</summary>
    private interface IUnitBody
    {
        /// <summary>Does a unit on a worker.</summary>
        void Run<V>(int unit, int worker) where V : struct, ILanes<V>;
    }

    private static void RunUnits<TBody>(CpuDevice host, int units, TBody body) where TBody : struct, IUnitBody
    {
        switch (host.Level)
        {
            case SimdLevel.Avx512: host.Pool.Run(units, body.Run<Lanes512>); break;
            case SimdLevel.Avx2: host.Pool.Run(units, body.Run<Lanes256>); break;
            default: host.Pool.Run(units, body.Run<LanesPortable>); break;
        }
    }

    /// <summary>The blocks of a convolution, and what their windows see.</summary>
    private readonly struct Unfolding(CpuDevice host, DeviceArray x, SlidingWindow window)
    {
        private readonly int _lines = LinesOf(window), _each = LinesAtOnce(host, window),
            _width = window.Across.Outputs(window.Input.Width);

        public Block At(int block) => new(block * _each, Math.Min(_each, _lines - block * _each), _width);

        /// <summary>The elements under the windows of a block, in a worker's scratch or where they lie, and as many
        /// floats of scratch as asked for.</summary>
        public (nint Unfolded, nint Scratch) Unfold<V>(Block block, int worker, long floats)
            where V : struct, ILanes<V>
        {
            // The two parts begin at the beginning of a cache line.
            long unfolded = window.IsPointwise ? 0 : ((long)block.Rows * window.Elements + 15) / 16 * 16;
            float* scratch = (float*)host.Pool.Scratch(worker, (unfolded + floats) * sizeof(float));
            if (window.IsPointwise)
                return ((nint)(x.Floats + (long)block.FirstRow * window.Elements), (nint)scratch);
            new UnfoldRange(x.Floats, scratch, window, block).Run<V>(0, block.Lines);
            return ((nint)scratch, (nint)(scratch + unfolded));
        }
    }

    private readonly struct ForwardUnits<TEpilogue>(CpuDevice host, DeviceArray x, PackedMatrix weight, DeviceArray y,
        SlidingWindow window, TEpilogue epilogue, bool accumulate) : IUnitBody where TEpilogue : struct, ICpuEpilogue
    {
        private readonly Unfolding _unfolding = new(host, x, window);

        public void Run<V>(int unit, int worker) where V : struct, ILanes<V>
        {
            Block block = _unfolding.At(unit);
            CpuGemmProblem problem = Problem(block.Rows);
            (nint unfolded, nint scratch) = _unfolding.Unfold<V>(block, worker,
                CpuGemm<V, FromRow<TEpilogue>>.FloatsOfOneWorker(problem));
            problem = problem with
            {
                A = (float*)unfolded,
                C = y.Floats + (long)block.FirstRow * weight.Columns
            };
            CpuGemm<V, FromRow<TEpilogue>>.RunOnWorker(problem, new(epilogue, block, weight.Columns), (float*)scratch);
        }

        private CpuGemmProblem Problem(int rows) => new(new Matrix(default, rows, weight.Rows), default, weight,
            new Matrix(default, rows, weight.Columns), accumulate, 1)
        { Bf16 = host.Bf16 };
    }

    /// <summary>Sums over the blocks of a slice, in their order.</summary>
    private readonly struct WeightUnits(CpuDevice host, DeviceArray x, DeviceArray dy, DeviceArray parts,
        SlidingWindow window, int features, int slices) : IUnitBody
    {
        private readonly Unfolding _unfolding = new(host, x, window);
        private readonly int _blocks = BlocksOf(host, window);

        public void Run<V>(int unit, int worker) where V : struct, ILanes<V>
        {
            int first = (int)((long)_blocks * unit / slices), end = (int)((long)_blocks * (unit + 1) / slices);
            for (int index = first; index < end; index++)
            {
                Block block = _unfolding.At(index);
                CpuGemmProblem problem = Problem(block.Rows, index > first);
                (nint unfolded, nint scratch) = _unfolding.Unfold<V>(block, worker,
                    CpuGemm<V, NoEpilogue>.FloatsOfOneWorker(problem));
                problem = problem with
                {
                    A = dy.Floats + (long)block.FirstRow * features,
                    B = (float*)unfolded,
                    C = parts.Floats + (long)unit * features * window.Elements
                };
                CpuGemm<V, NoEpilogue>.RunOnWorker(problem, default, (float*)scratch);
            }
        }

        private CpuGemmProblem Problem(int rows, bool accumulate) => new(
            new Matrix(default, rows, features).Transposed, new Matrix(default, rows, window.Elements), null,
            new Matrix(default, features, window.Elements), accumulate, 1)
        { Bf16 = host.Bf16 };
    }
}
