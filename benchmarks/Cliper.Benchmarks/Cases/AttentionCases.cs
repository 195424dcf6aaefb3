using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Export;
using static TorchSharp.torch;
using Functional = TorchSharp.torch.nn.functional;

namespace Cliper.Benchmarks.Cases;

/// <summary>
/// Attention of ViT-B (12 heads of 64) from the packed queries, keys and values of a linear layer to rows of the
/// model's width: B/32 (50 tokens, 16 images), B/16 (197 tokens, 8 images), and the causal text tower (8 heads, 77
/// tokens, 35 texts).
/// </summary>
internal static class AttentionCases
{
    private const int Threads = 2;
    private const int HeadSize = 64;

    public static void Run(Bench bench)
    {
        foreach ((int samples, int tokens, int heads, bool causal) in
                 new[] { (16, 50, 12, false), (8, 197, 12, false), (35, 77, 8, true) })
        {
            string sizes = $"N={samples} T={tokens} heads={heads}{(causal ? " causal" : "")}";
            if (!bench.Wants($"attention forward {sizes}") && !bench.Wants($"attention backward {sizes}"))
                continue;
            using CpuDevice device = Bench.Device(Threads);
            using CpuDevice? bf16 = Bench.Bf16Device(Threads);
            using var problem = new Problem(device, samples, tokens, heads, causal);
            using Problem? rounded = bf16 is null ? null : new Problem(bf16, samples, tokens, heads, causal);
            Forward(bench, $"attention forward {sizes}", problem, rounded);
            Backward(bench, $"attention backward {sizes}", problem, rounded);
        }
    }

    private static void Forward(Bench bench, string name, Problem problem, Problem? rounded)
    {
        problem.Forward();
        using (no_grad())
        {
            using (TorchSharp.torch.Tensor theirs = problem.Theirs())
                Equality.Require(name, problem.Output(), theirs.ToArray());
            using OnnxSession session = problem.Session();
            Equality.Require(name, problem.Output(), session.Result());
            rounded?.Forward();
            if (rounded is not null)
                Equality.RequireBf16(name, rounded.Output(), problem.Output());
            if (bench.Wants(name))
                bench.Row(name, Threads, problem.Gflop, rounds: 9, quickSeconds: 1.5,
                [
                    new Contender(Side.Ours, problem.Forward),
                    new Contender(Side.TorchSharp, Libtorch.Scoped(() => problem.Theirs())),
                    new Contender(Side.OnnxRuntime, session.Run),
                    .. Bench.Bf16(rounded, rounded => rounded.Forward(), rounded => rounded.Theirs()),
                ]);
        }
    }

    // The backward pass alone: both sides keep what their forward pass left. ONNX Runtime has none.
    private static void Backward(Bench bench, string name, Problem problem, Problem? rounded)
    {
        if (!bench.Wants(name))
            return;
        problem.Backward();
        using TorchSharp.torch.Tensor output = problem.Theirs();
        using (TorchSharp.torch.Tensor theirs = problem.TheirGradient(output))
            Equality.Require(name, problem.Gradient(), theirs.ToArray());
        using TorchSharp.torch.Tensor? roundedOutput = rounded?.Theirs();
        bench.Row(name, Threads, 2.5 * problem.Gflop, rounds: 9, quickSeconds: 1.5,
        [
            new Contender(Side.Ours, problem.Backward),
            new Contender(Side.TorchSharp, Libtorch.Scoped(() => problem.TheirGradient(output))),
            .. Bench.Bf16(rounded, rounded => rounded.Backward(), rounded => rounded.TheirGradient(roundedOutput!)),
        ]);
    }

    /// <summary>The same problem on each side.</summary>
    private sealed class Problem : IDisposable
    {
        private readonly CpuDevice _device;
        private readonly Attention.Sizes _sizes;
        private readonly int _width;
        private readonly float[] _values;
        private readonly DeviceArray _qkv, _output, _logSumExp, _doutput, _dqkv;
        private readonly TorchSharp.torch.Tensor _tqkv, _tdoutput;

        public Problem(CpuDevice device, int samples, int tokens, int heads, bool causal)
        {
            _device = device;
            _width = heads * HeadSize;
            _sizes = new Attention.Sizes(samples, heads, HeadSize, tokens, tokens, causal);
            _values = Bench.Random((long)samples * tokens * 3 * _width, 1);
            float[] gradient = Bench.Random((long)samples * tokens * _width, 2);
            _qkv = device.From(_values);
            _output = device.Allocate(gradient.Length);
            _logSumExp = device.Allocate(_sizes.Statistics);
            _doutput = device.From(gradient);
            _dqkv = device.Allocate(_values.Length);
            bool bf16 = device.Operands == ElementType.BFloat16;
            _tqkv = Libtorch.From(_values, samples, tokens, 3 * _width).In(bf16).requires_grad_(true);
            _tdoutput = Libtorch.From(gradient, samples, tokens, _width).In(bf16);
        }

        /// <summary>Work of the forward pass's two products; a causal mask leaves the half of them.</summary>
        public double Gflop => 4e-9 * _sizes.Samples * _sizes.Heads * HeadSize * _sizes.Queries
            * (_sizes.Causal ? (_sizes.Keys + 1) / 2.0 : _sizes.Keys);

        public void Forward() => Attention.Forward(_sizes, new(Part(_qkv, 0), Part(_qkv, 1), Part(_qkv, 2)),
            new Attention.Operand(_output, 0, _width), _logSumExp);

        public void Backward() => Attention.Backward(_sizes, new(Part(_qkv, 0), Part(_qkv, 1), Part(_qkv, 2)),
            _logSumExp, new Attention.Operand(_doutput, 0, _width),
            new(Part(_dqkv, 0), Part(_dqkv, 1), Part(_dqkv, 2)));

        public float[] Output() => _device.ToFloats(_output);

        public float[] Gradient() => _device.ToFloats(_dqkv);

        public TorchSharp.torch.Tensor Theirs()
        {
            using TorchSharp.DisposeScope scope = NewDisposeScope();
            TorchSharp.torch.Tensor parts = _tqkv.view(_sizes.Samples, _sizes.Queries, 3, _sizes.Heads, HeadSize)
                .permute(2, 0, 3, 1, 4);
            return Functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_casual: _sizes.Causal)
                .transpose(1, 2).reshape(_sizes.Samples, _sizes.Queries, _width).MoveToOuterDisposeScope();
        }

        public TorchSharp.torch.Tensor TheirGradient(TorchSharp.torch.Tensor output) =>
            autograd.grad([output], [_tqkv], [_tdoutput], retain_graph: true)[0];

        /// <summary>
        /// ONNX Runtime's fused operator, given queries, keys and values apart (it takes them no other way).
        /// </summary>
        public OnnxSession Session()
        {
            var graph = new OnnxGraph();
            string[] parts = [.. new[] { "q", "k", "v" }.Select(name => graph.Input(name, OnnxType.Float, -1,
                _sizes.Queries, _width))];
            string[] mask = _sizes.Causal ? ["", "", OnnxClip.CausalMask(graph, _sizes.Queries)] : [];
            graph.Output(graph.Node("MultiHeadAttention", [.. parts, .. mask], OnnxGraph.Microsoft,
                ("num_heads", _sizes.Heads)), null, OnnxType.Float, -1, _sizes.Queries, _width);
            var session = new OnnxSession(graph.ToModel(), Threads);
            for (int part = 0; part < 3; part++)
                session.With(parts[part], Columns(part), _sizes.Samples, _sizes.Queries, _width);
            return session;
        }

        public void Dispose()
        {
            foreach (DeviceArray array in new[] { _qkv, _output, _logSumExp, _doutput, _dqkv })
                _device.Free(array);
            _tqkv.Dispose();
            _tdoutput.Dispose();
        }

        private Attention.Operand Part(DeviceArray array, int part) => new(array, part * _width, 3 * _width);

        private float[] Columns(int part)
        {
            int rows = _sizes.Samples * _sizes.Queries;
            var columns = new float[(long)rows * _width];
            for (int row = 0; row < rows; row++)
                Array.Copy(_values, ((long)row * 3 + part) * _width, columns, (long)row * _width, _width);
            return columns;
        }
    }
}
