using Cliper.Autograd;
using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Export;
using static TorchSharp.torch;
using Functional = TorchSharp.torch.nn.functional;
using Tensor = Cliper.Autograd.Tensor;

namespace Cliper.Benchmarks.Cases;

/// <summary>
/// Linear layers y = x Wᵀ + b of ViT-B: as inference runs them (constant weights, which ours and ONNX Runtime keep
/// packed), and as training does (weights new at every step; forward and both gradients).
/// </summary>
internal static class MatMulCases
{
    private const int Threads = 2;
    private static readonly (int K, int N)[] Layers = [(768, 768), (768, 2304), (768, 3072), (3072, 768)];

    public static void Run(Bench bench)
    {
        foreach (int rows in new[] { 50, 197, 800, 1576 })
            foreach ((int k, int n) in Layers)
                Inference(bench, $"matmul M={rows} K={k} N={n}", rows, k, n);
        foreach ((int k, int n) in Layers)
            Training(bench, $"train-linear M=400 K={k} N={n}", 400, k, n);
    }

    private static void Inference(Bench bench, string name, int rows, int k, int n)
    {
        if (!bench.Wants(name))
            return;
        using CpuDevice device = Bench.Device(Threads);
        using CpuDevice? bf16 = Bench.Bf16Device(Threads);
        using var layer = new Layer(device, rows, k, n);
        using Layer? rounded = bf16 is null ? null : new Layer(bf16, rows, k, n);
        using OnnxSession session = layer.Session(Threads);
        using (no_grad())
        {
            float[] ours = layer.Ours();
            using (var theirs = layer.Theirs())
                Equality.Require(name, ours, theirs.ToArray());
            Equality.Require(name, ours, session.Result());
            if (rounded is not null)
                Equality.RequireBf16(name, rounded.Ours(), ours);
            bench.Row(name, Threads, 2e-9 * rows * k * n, rounds: 9, quickSeconds: 1.5,
            [
                new Contender(Side.Ours, layer.RunOurs),
                new Contender(Side.TorchSharp, () => layer.Theirs().Dispose()),
                new Contender(Side.OnnxRuntime, session.Run),
                .. Bench.Bf16(rounded, rounded => rounded.RunOurs(), rounded => rounded.Theirs().Dispose()),
            ]);
        }
    }

    // ONNX Runtime has no training.
    private static void Training(Bench bench, string name, int rows, int k, int n)
    {
        if (!bench.Wants(name) || bench.Quick)
            return;
        using CpuDevice device = Bench.Device(Threads);
        using CpuDevice? bf16 = Bench.Bf16Device(Threads);
        using var layer = new Layer(device, rows, k, n);
        using Layer? rounded = bf16 is null ? null : new Layer(bf16, rows, k, n);
        layer.StepOurs();
        using (NewDisposeScope())
            foreach ((float[] ours, TorchSharp.torch.Tensor theirs) in layer.Gradients().Zip(layer.StepTheirs()))
                Equality.Require(name, ours, theirs.ToArray());
        bench.Row(name, Threads, 6e-9 * rows * k * n, rounds: 9, quickSeconds: 0,
        [
            new Contender(Side.Ours, layer.StepOurs),
            new Contender(Side.TorchSharp, Libtorch.Scoped(() => layer.StepTheirs())),
            .. Bench.Bf16(rounded, rounded => rounded.StepOurs(), rounded => rounded.StepTheirs()),
        ]);
    }

    /// <summary>The same layer on each side.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly CpuDevice _device;
        private readonly int _rows, _k, _n;
        private readonly float[] _xValues, _wValues, _bValues;
        private readonly Tensor _x, _w, _b, _dy;
        private readonly TorchSharp.torch.Tensor _tx, _tw, _tb, _tdy;

        public Layer(CpuDevice device, int rows, int k, int n)
        {
            (_device, _rows, _k, _n) = (device, rows, k, n);
            _xValues = Bench.Random((long)rows * k, 1);
            _wValues = Bench.Random((long)n * k, 2, 0.05f);
            _bValues = Bench.Random(n, 3);
            float[] dyValues = Bench.Random((long)rows * n, 4);
            _x = Tensor.From(device, _xValues, new Shape(rows, k));
            _w = Tensor.From(device, _wValues, new Shape(n, k));
            _b = Tensor.From(device, _bValues, new Shape(n));
            _dy = Tensor.From(device, dyValues, new Shape(rows, n));
            bool bf16 = device.Operands == ElementType.BFloat16;
            _tx = Libtorch.From(_xValues, rows, k).In(bf16);
            _tw = Libtorch.From(_wValues, n, k).In(bf16);
            _tb = Libtorch.From(_bValues, n).In(bf16);
            _tdy = Libtorch.From(dyValues, rows, n).In(bf16);
        }

        public void RunOurs()
        {
            using var tape = new Tape(_device, recording: false);
            tape.Linear(_x, _w, _b);
        }

        public float[] Ours()
        {
            using var tape = new Tape(_device, recording: false);
            return tape.Linear(_x, _w, _b).ToArray();
        }

        public TorchSharp.torch.Tensor Theirs() => Functional.linear(_tx, _tw, _tb);

        public OnnxSession Session(int threads)
        {
            var graph = new OnnxGraph();
            string x = graph.Input("x", OnnxType.Float, -1, _k);
            // An exporter writes it so: the weight transposed, product and bias apart; the optimizer joins them.
            string product = graph.Node("MatMul", [x, graph.Constant(Bench.Transpose(_wValues, _n, _k), _k, _n)]);
            graph.Output(graph.Node("Add", [product, graph.Constant(_bValues, _n)]), null, OnnxType.Float, -1,
                _n);
            return new OnnxSession(graph.ToModel(), threads).With("x", _xValues, _rows, _k);
        }

        /// <summary>Forward, then the gradients by x, weight and bias; the weight counts as new.</summary>
        public void StepOurs()
        {
            foreach (Tensor tensor in new[] { _x, _w, _b })
            {
                tensor.RequiresGrad = true;
                tensor.ClearGradient();
            }
            _w.MarkWritten();
            using var tape = new Tape(_device);
            Tensor y = tape.Linear(_x, _w, _b);
            _device.Copy(_dy.Data, y.GradientTarget().Array);
            tape.PlayBack();
        }

        /// <summary>The same; the gradients are new tensors.</summary>
        public IList<TorchSharp.torch.Tensor> StepTheirs()
        {
            TorchSharp.torch.Tensor[] inputs =
                [.. new[] { _tx, _tw, _tb }.Select(tensor => tensor.requires_grad_(true))];
            using TorchSharp.torch.Tensor y = Functional.linear(_tx, _tw, _tb);
            return autograd.grad([y], inputs, [_tdy]);
        }

        public float[][] Gradients() => [.. new[] { _x, _w, _b }.Select(tensor => _device.ToFloats(tensor.Gradient))];

        public void Dispose()
        {
            foreach (Tensor tensor in new[] { _x, _w, _b, _dy })
                tensor.Dispose();
            foreach (TorchSharp.torch.Tensor tensor in new[] { _tx, _tw, _tb, _tdy })
                tensor.Dispose();
        }
    }
}
