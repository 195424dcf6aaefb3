using Cliper.Autograd;
using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Cpu;
using Cliper.Model.Clip;
using TorchSharp.Modules;
using static TorchSharp.torch;
using AdamW = Cliper.Autograd.Optimizers.AdamW;
using Functional = TorchSharp.torch.nn.functional;
using Tensor = Cliper.Autograd.Tensor;

namespace Cliper.Benchmarks.Cases;

/// <summary>
/// A training step of ViT-B, all weights trained: forward, cross-entropy on a head of seven classes, backward, AdamW.
/// The parts have rows of their own, as TorchSharp's AdamW is a chain of unfused operations a parameter.
/// </summary>
internal static class TrainCases
{
    private const int Threads = 2;
    private const int Classes = 7;
    private const float Scale = 10;
    private const float LearningRate = 1e-5f, WeightDecay = 0.01f;
    public static readonly (int Patch, int Batch)[] Models = [(32, 8), (16, 4)];

    public static void Run(Bench bench)
    {
        foreach ((int patch, int batch) in Models)
        {
            string kind = $"train ViT-B/{patch} batch {batch}";
            if (bench.WantsAny(kind))
                Compare(bench, kind, patch, batch);
        }
    }

    private static void Compare(Bench bench, string kind, int patch, int batch)
    {
        var towers = new Towers(ClipShape.Image(patch));
        using CpuDevice device = Bench.Device(Threads);
        using var ours = new OurStep(towers, device, batch);
        using var theirs = new TheirStep(towers, batch);
        using CpuDevice? rounding = Bench.Bf16Device(Threads);
        using OurStep? ourBf16 = rounding is null ? null : new OurStep(towers, rounding, batch);
        using TheirStep? theirBf16 = rounding is null ? null : new TheirStep(towers, batch, bf16: true);
        ours.Gradients();
        theirs.Gradients();
        double worst = 0;
        foreach ((string name, TorchSharp.torch.Tensor weight) in theirs.Weights)
            worst = Math.Max(worst, Equality.Difference($"{kind}, gradient of {name}", ours.Gradient(name),
                weight.grad!.ToArray()));
        Console.Error.WriteLine(
            $"    {kind}: gradients equal, largest difference {worst:E1} of a tensor's largest entry");

        ourBf16?.Gradients();
        if (ourBf16 is not null)
            Equality.RequireBf16($"{kind}, gradients", All(ourBf16), All(ours));

        double gflop = 3 * towers.Shape.Gflop * batch;
        Row("forward+backward", gflop, step => step.Gradients());
        Row("AdamW", 0, step => step.Update());
        Row("whole step", gflop, step => step.Step());

        float[] All(OurStep step) => [.. theirs.Weights.SelectMany(weight => step.Gradient(weight.Name))];

        void Row(string part, double work, Action<IStep> run)
        {
            if (bench.Wants($"{kind} {part}"))
                bench.Row($"{kind} {part}", Threads, work, rounds: 7, quickSeconds: 5,
                [
                    new Contender(Side.Ours, () => run(ours)), new Contender(Side.TorchSharp, () => run(theirs)),
                    .. Bench.Bf16(ourBf16, run, _ => run(theirBf16!)),
                ]);
        }
    }

    private static float[] Pixels(int batch) =>
        Bench.Random((long)batch * 3 * ClipShape.ImageSize * ClipShape.ImageSize, 7);

    private static int[] Labels(int batch) => [.. Enumerable.Range(0, batch).Select(sample => sample * 3 % Classes)];

    private static float[] Head => Bench.Random((long)Classes * ClipShape.Features, 8, 0.05f);

    /// <summary>A side's step and its parts, for the memory measurement as well as for the contest.</summary>
    internal interface IStep : IDisposable
    {
        /// <summary>Forward, loss and backward from gradients that count as zero.</summary>
        void Gradients();

        /// <summary>AdamW with the gradients there are.</summary>
        void Update();

        /// <summary>Both.</summary>
        void Step();
    }

    internal sealed class OurStep : IStep
    {
        private readonly CpuDevice _device;
        private readonly ClipModel _model;
        private readonly Tensor _images, _labels, _head;
        private readonly AdamW _optimizer = new();

        public OurStep(Towers towers, CpuDevice device, int batch)
        {
            _device = device;
            _model = towers.Model(device);
            _model.Parameters.Train(ClipModel.IsVision);
            _images = Tensor.From(device, Pixels(batch), new Shape(batch, 3, ClipShape.ImageSize, ClipShape.ImageSize));
            _labels = Tensor.From(device, Labels(batch), new Shape(batch));
            _head = Tensor.From(device, Head, new Shape(Classes, ClipShape.Features));
            _head.RequiresGrad = true;
            _optimizer.AddGroup([.. _model.Parameters.StartingWith("visual."), ("head", _head)], WeightDecay);
        }

        public void Gradients()
        {
            _optimizer.ClearGradients();
            using var tape = new Tape(_device);
            Tensor logits = tape.MatMul(_model.Vision.Forward(tape, _images), _head, transposeB: true, scale: Scale);
            tape.Backward(tape.SoftmaxCrossEntropy(logits, _labels));
        }

        public void Update() => _optimizer.Step(LearningRate);

        public void Step()
        {
            Gradients();
            Update();
        }

        public float[] Gradient(string name) =>
            _device.ToFloats((name == "head" ? _head : _model.Parameters[name]).Gradient);

        public void Dispose()
        {
            _optimizer.Dispose();
            foreach (Tensor tensor in new[] { _images, _labels, _head })
                tensor.Dispose();
            _model.Dispose();
        }
    }

    internal sealed class TheirStep : IStep
    {
        private readonly TorchClip _model;
        private readonly TorchSharp.torch.Tensor _images, _labels;
        private readonly Parameter _head;
        private readonly optim.Optimizer _optimizer;

        /// <param name="towers">The weights.</param>
        /// <param name="batch">Images of a step.</param>
        /// <param name="bf16">Whether weights, gradients and moments are bf16 as well, which is the fastest.</param>
        public TheirStep(Towers towers, int batch, bool bf16 = false)
        {
            _model = new TorchClip(towers.Shape, towers.Weights, trained: true, bf16);
            _images = Libtorch.From(Pixels(batch), batch, 3, ClipShape.ImageSize, ClipShape.ImageSize).In(bf16);
            _labels = tensor([.. Labels(batch).Select(label => (long)label)]);
            _head = new Parameter(Libtorch.From(Head, Classes, ClipShape.Features).In(bf16), requires_grad: true);
            _optimizer = optim.AdamW([.. _model.Weights.Values.Cast<Parameter>(), _head], lr: LearningRate,
                weight_decay: WeightDecay);
        }

        public IEnumerable<(string Name, TorchSharp.torch.Tensor Weight)> Weights =>
            [.. _model.Weights.Select(entry => (entry.Key, entry.Value)), ("head", _head)];

        public void Gradients()
        {
            using TorchSharp.DisposeScope _ = NewDisposeScope();
            _optimizer.zero_grad();
            TorchSharp.torch.Tensor logits = Functional.linear(_model.Forward(_images), _head) * Scale;
            Functional.cross_entropy(logits, _labels).backward();
        }

        public void Update()
        {
            using TorchSharp.DisposeScope _ = NewDisposeScope();
            _optimizer.step();
        }

        public void Step()
        {
            Gradients();
            Update();
        }

        public void Dispose()
        {
            _optimizer.Dispose();
            _model.Dispose();
            foreach (TorchSharp.torch.Tensor tensor in new[] { _images, _labels, _head })
                tensor.Dispose();
        }
    }
}
