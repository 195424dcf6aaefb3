using Cliper.Autograd;
using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Cpu;
using Cliper.Model.Clip;
using static TorchSharp.torch;
using Tensor = Cliper.Autograd.Tensor;

namespace Cliper.Benchmarks.Cases;

/// <summary>
/// The towers as inference runs them. In the last block ours computes only the token that is read; the peers' graphs
/// compute all, as exporters and ordinary code write them.
/// </summary>
internal static class ForwardCases
{
    private const int Prompts = 35;
    private const int EndOfText = 49407;

    public static void Run(Bench bench)
    {
        foreach (int patch in new[] { 32, 16 })
            Images(bench, patch, patch == 32 ? [1, 16] : [1, 8]);
        foreach (int tokens in new[] { 77, 11 })
            Texts(bench, tokens);
    }

    private static void Images(Bench bench, int patch, int[] batches)
    {
        string kind = $"forward ViT-B/{patch}";
        if (!bench.WantsAny(kind))
            return;
        var towers = new Towers(ClipShape.Image(patch));
        byte[] plain = towers.Onnx(fused: false), fused = towers.Onnx(fused: true);
        foreach (int threads in new[] { 2, 1 })
            foreach (int batch in batches)
            {
                string name = $"{kind} batch {batch}";
                if (!bench.Wants(name))
                    continue;
                const int Size = ClipShape.ImageSize;
                float[] pixels = Bench.Random((long)batch * 3 * Size * Size, 7);
                using CpuDevice device = Bench.Device(threads);
                using CpuDevice? rounding = Bench.Bf16Device(threads);
                using ClipModel model = towers.Model(device);
                using ClipModel? rounded = rounding is null ? null : towers.Model(rounding);
                var shape = new Shape(batch, 3, Size, Size);
                using Tensor images = Tensor.From(device, pixels, shape);
                using Tensor? others = rounding is null ? null : Tensor.From(rounding, pixels, shape);
                using TorchSharp.torch.Tensor input = Libtorch.From(pixels, batch, 3, Size, Size);
                Compare(bench, name, threads, towers, batch,
                    new Tower(device, tape => model.Vision.Forward(tape, images)),
                    rounded is null ? null : new Tower(rounding!, tape => rounded.Vision.Forward(tape, others!)), input,
                    Open(plain), Open(fused));

                OnnxSession Open(byte[] graph) =>
                    new OnnxSession(graph, threads).With("images", pixels, batch, 3, Size, Size);
            }
    }

    private static void Texts(Bench bench, int tokens)
    {
        string name = $"forward text {Prompts} x {tokens}";
        if (!bench.Wants(name))
            return;
        var towers = new Towers(ClipShape.Text(tokens));
        byte[] plain = towers.Onnx(fused: false), fused = towers.Onnx(fused: true);
        var random = new Random(3);
        int[][] texts = [.. Enumerable.Range(0, Prompts).Select(_ =>
            Enumerable.Range(1, tokens).Select(token => token == tokens ? EndOfText : random.Next(EndOfText))
            .ToArray())];
        long[] ids = [.. texts.SelectMany(text => text).Select(id => (long)id)];
        foreach (int threads in new[] { 2, 1 })
        {
            using CpuDevice device = Bench.Device(threads);
            using CpuDevice? rounding = Bench.Bf16Device(threads);
            using ClipModel model = towers.Model(device);
            using ClipModel? rounded = rounding is null ? null : towers.Model(rounding);
            using TorchSharp.torch.Tensor input = tensor(ids, [Prompts, tokens]);
            Compare(bench, name, threads, towers, Prompts, new Tower(device, tape => model.Text.Forward(tape, texts)),
                rounded is null ? null : new Tower(rounding!, tape => rounded.Text.Forward(tape, texts)), input,
                Open(plain), Open(fused));

            OnnxSession Open(byte[] graph) => new OnnxSession(graph, threads).With("ids", ids, Prompts, tokens);
        }
    }

    /// <summary>One of this project's towers on its device.</summary>
    private sealed class Tower(CpuDevice device, Func<Tape, Tensor> forward)
    {
        public void Run()
        {
            using var tape = new Tape(device, recording: false);
            forward(tape);
        }

        public float[] Features()
        {
            using var tape = new Tape(device, recording: false);
            return forward(tape).ToArray();
        }
    }

    private static void Compare(Bench bench, string name, int threads, Towers towers, int samples, Tower ours,
        Tower? rounded, TorchSharp.torch.Tensor input, params OnnxSession[] sessions)
    {
        using IDisposable withoutGradients = no_grad();
        using var theirs = new TorchClip(towers.Shape, towers.Weights, trained: false);
        using TorchClip? theirBf16 = rounded is null ? null
            : new TorchClip(towers.Shape, towers.Weights, trained: false, bf16: true);
        using TorchSharp.torch.Tensor inputBf16 = input.is_floating_point() ? input.In(bf16: true) : input.alias();
        float[] features = ours.Features();
        if (rounded is not null)
            Equality.RequireBf16(name, rounded.Features(), features);
        using (TorchSharp.torch.Tensor result = theirs.Forward(input))
            Equality.Require($"{name} libtorch", features, result.ToArray());
        foreach (OnnxSession session in sessions)
            Equality.Require($"{name} ONNX Runtime", features, session.Result());
        bench.Row(name, threads, towers.Shape.Gflop * samples, rounds: 7,
            QuickSeconds(samples * towers.Shape.Gflop / threads),
        [
            new Contender(Side.Ours, ours.Run),
            new Contender(Side.TorchSharp, () => theirs.Forward(input).Dispose()),
            .. sessions.Select(session => new Contender(Side.OnnxRuntime, session.Run)),
            .. Bench.Bf16(rounded, rounded => rounded.Run(), _ => theirBf16!.Forward(inputBf16)),
        ]);
        foreach (OnnxSession session in sessions)
            session.Dispose();
    }

    // A quick run gives the short cases several rounds and the long ones one or two.
    private static double QuickSeconds(double gflopPerThread) => 2 + gflopPerThread / 50;
}
