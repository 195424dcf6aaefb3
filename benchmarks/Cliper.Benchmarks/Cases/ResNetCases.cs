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
/// CLIP's RN50, as inference runs it and as a training step with the batch's statistics: forward, cross-entropy over
/// its features as classes, backward, AdamW.
/// </summary>
internal static class ResNetCases
{
    private const string Forward = "resnet-forward RN50", Training = "resnet-train RN50";
    private const int TrainBatch = 8, TrainThreads = 2;
    private const float LearningRate = 1e-5f, WeightDecay = 0.01f;

    // Some of the millions of arguments of 49 ReLUs are within rounding of zero, and pass their gradient on one side
    // alone: with 1e-6 of them at each, gradients differ by sqrt(49e-6) of their norm.
    private const double GradientTolerance = 7e-3;

    /// <summary>In exact arithmetic its gradient is zero.</summary>
    private const string KeyBias = "visual.attnpool.k_proj.bias";

    public static void Run(Bench bench)
    {
        if (!bench.WantsAny("resnet"))
            return;
        var tower = new ResNetTower();
        if (bench.WantsAny(Forward))
        {
            byte[] graph = tower.Onnx();
            foreach (int threads in new[] { 2, 1 })
                foreach (int batch in new[] { 1, 8 })
                    if (bench.Wants($"{Forward} batch {batch}"))
                        Infer(bench, tower, graph, threads, batch);
        }
        if (bench.WantsAny(Training))
            Train(bench, tower);
    }

    private static void Infer(Bench bench, ResNetTower tower, byte[] graph, int threads, int batch)
    {
        string name = $"{Forward} batch {batch}";
        int size = ResNetTower.Config.ImageSize;
        float[] pixels = Pixels(batch);
        using CpuDevice device = Bench.Device(threads);
        using ClipModel model = tower.Model(device);
        using Tensor images = Tensor.From(device, pixels, new Shape(batch, 3, size, size));
        using IDisposable withoutGradients = no_grad();
        using TorchSharp.torch.Tensor input = Libtorch.From(pixels, batch, 3, size, size);
        using var theirs = new TorchResNet(tower, trained: false);
        using OnnxSession session = new OnnxSession(graph, threads).With("images", pixels, batch, 3, size, size);
        float[] features;
        using (var tape = new Tape(device, recording: false))
            features = model.Vision.Forward(tape, images).ToArray();
        using (TorchSharp.torch.Tensor result = theirs.Forward(input))
            Equality.Require($"{name} libtorch", features, result.ToArray());
        Equality.Require($"{name} ONNX Runtime", features, session.Result());
        bench.Row(name, threads, tower.Gflop * batch, rounds: 7, quickSeconds: 2 + tower.Gflop * batch / threads / 50,
            new Contender(Side.Ours, () =>
            {
                using var tape = new Tape(device, recording: false);
                model.Vision.Forward(tape, images);
            }),
            new Contender(Side.TorchSharp, () => theirs.Forward(input).Dispose()),
            new Contender(Side.OnnxRuntime, session.Run));
    }

    private static void Train(Bench bench, ResNetTower tower)
    {
        string kind = $"{Training} batch {TrainBatch}";
        using CpuDevice device = Bench.Device(TrainThreads);
        using var ours = new OurStep(tower, device);
        using var theirs = new TheirStep(tower);
        ours.Gradients();
        theirs.Gradients();
        double worst = theirs.Parameters.Where(entry => entry.Key != KeyBias).Max(entry => Equality.Distance(
            $"{kind}, gradient of {entry.Key}", ours.Gradient(entry.Key), entry.Value.grad!.ToArray(),
            GradientTolerance));
        Console.Error.WriteLine($"    {kind}: gradients equal, largest difference {worst:E1} of a tensor's norm");
        double gflop = 3 * tower.Gflop * TrainBatch;
        Row("forward+backward", gflop, ours.Gradients, theirs.Gradients);
        Row("whole step", gflop, ours.Step, theirs.Step);

        void Row(string part, double work, Action our, Action their)
        {
            if (bench.Wants($"{kind} {part}"))
                bench.Row($"{kind} {part}", TrainThreads, work, rounds: 7, quickSeconds: 5,
                    new Contender(Side.Ours, our), new Contender(Side.TorchSharp, their));
        }
    }

    private static float[] Pixels(int batch) =>
        Bench.Random((long)batch * 3 * ResNetTower.Config.ImageSize * ResNetTower.Config.ImageSize, 7);

    private static int[] Labels => [.. Enumerable.Range(0, TrainBatch).Select(sample => sample * 3 % 7)];

    private sealed class OurStep : IDisposable
    {
        private readonly CpuDevice _device;
        private readonly ClipModel _model;
        private readonly Tensor _images, _labels;
        private readonly AdamW _optimizer = new();

        public OurStep(ResNetTower tower, CpuDevice device)
        {
            _device = device;
            _model = tower.Model(device);
            _model.Parameters.Train(ClipModel.IsVision);
            _model.Vision.IsTraining = true;
            int size = ResNetTower.Config.ImageSize;
            _images = Tensor.From(device, Pixels(TrainBatch), new Shape(TrainBatch, 3, size, size));
            _labels = Tensor.From(device, Labels, new Shape(TrainBatch));
            _optimizer.AddGroup([.. _model.Parameters.Trainable().Where(entry => ClipModel.IsVision(entry.Name))],
                WeightDecay);
        }

        public void Gradients()
        {
            _optimizer.ClearGradients();
            using var tape = new Tape(_device);
            tape.Backward(tape.SoftmaxCrossEntropy(_model.Vision.Forward(tape, _images), _labels));
        }

        public void Step()
        {
            Gradients();
            _optimizer.Step(LearningRate);
        }

        /// <summary>A gradient in the layout of the peers: a convolution's as [features, channels, rows,
        /// columns].</summary>
        public float[] Gradient(string name)
        {
            Tensor parameter = _model.Parameters[name];
            float[] values = _device.ToFloats(parameter.Gradient);
            if (parameter.Shape.Rank < 4)
                return values;
            int channels = parameter.Shape[3], taps = parameter.Shape[1] * parameter.Shape[2];
            return [.. Enumerable.Range(0, parameter.Shape[0]).SelectMany(feature => Bench.Transpose(
                values[(feature * taps * channels)..((feature + 1) * taps * channels)], taps, channels))];
        }

        public void Dispose()
        {
            _optimizer.Dispose();
            _images.Dispose();
            _labels.Dispose();
            _model.Dispose();
        }
    }

    private sealed class TheirStep : IDisposable
    {
        private readonly TorchResNet _model;
        private readonly TorchSharp.torch.Tensor _images, _labels;
        private readonly optim.Optimizer _optimizer;

        public TheirStep(ResNetTower tower)
        {
            _model = new TorchResNet(tower, trained: true);
            int size = ResNetTower.Config.ImageSize;
            _images = Libtorch.From(Pixels(TrainBatch), TrainBatch, 3, size, size);
            _labels = tensor([.. Labels.Select(label => (long)label)]);
            _optimizer = optim.AdamW([.. _model.Parameters.Select(entry => (Parameter)entry.Value)], lr: LearningRate,
                weight_decay: WeightDecay);
        }

        public IEnumerable<KeyValuePair<string, TorchSharp.torch.Tensor>> Parameters => _model.Parameters;

        public void Gradients()
        {
            using TorchSharp.DisposeScope _ = NewDisposeScope();
            _optimizer.zero_grad();
            Functional.cross_entropy(_model.Forward(_images), _labels).backward();
        }

        public void Step()
        {
            Gradients();
            using TorchSharp.DisposeScope _ = NewDisposeScope();
            _optimizer.step();
        }

        public void Dispose()
        {
            _optimizer.Dispose();
            _model.Dispose();
            _images.Dispose();
            _labels.Dispose();
        }
    }
}
