using Cliper.Autograd;
using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Export;
using static TorchSharp.torch;
using Functional = TorchSharp.torch.nn.functional;
using Tensor = Cliper.Autograd.Tensor;

namespace Cliper.Benchmarks.Cases;

/// <summary>
/// Convolutions of CLIP's RN50 and of a small ResNet: as inference runs them (constant weights, bias and ReLU), and as
/// training does (weights new at every step; forward and both gradients). Ours are NHWC, the others NCHW.
/// </summary>
internal static class ConvolutionCases
{
    private const int Threads = 2;

    /// <summary>A convolution with stride 1 that keeps the image's size.</summary>
    private readonly record struct Problem(int Images, int Side, int Channels, int Features, int Kernel)
    {
        public double Gflop => 2e-9 * Images * Side * Side * Features * Kernel * Kernel * Channels;

        public override string ToString() =>
            $"{Images}x{Side}x{Side}x{Channels}->{Features} {Kernel}x{Kernel}";
    }

    private static readonly Problem[] Forward =
    [
        new(1, 56, 64, 64, 3), new(1, 56, 64, 256, 1), new(1, 28, 128, 128, 3), new(1, 14, 256, 256, 3),
        new(1, 14, 1024, 256, 1), new(1, 7, 512, 512, 3), new(8, 56, 64, 64, 3), new(8, 14, 256, 256, 3),
    ];

    private static readonly Problem[] Steps =
    [
        new(64, 24, 32, 32, 3), new(64, 12, 64, 64, 3), new(64, 6, 128, 128, 3), new(64, 3, 256, 256, 3),
        new(64, 24, 32, 128, 1), new(8, 56, 64, 64, 3), new(8, 14, 256, 256, 3), new(8, 28, 512, 128, 1),
    ];

    public static void Run(Bench bench)
    {
        foreach (Problem shape in Forward)
            Inference(bench, $"conv {shape}", shape);
        foreach (Problem shape in Steps)
            Training(bench, $"conv-train {shape}", shape);
    }

    private static void Inference(Bench bench, string name, Problem shape)
    {
        if (!bench.Wants(name))
            return;
        using CpuDevice device = Bench.Device(Threads);
        using CpuDevice? bf16 = Bench.Bf16Device(Threads);
        using var layer = new Layer(device, shape);
        using Layer? rounded = bf16 is null ? null : new Layer(bf16, shape);
        using OnnxSession session = layer.Session(Threads);
        using (no_grad())
        {
            float[] ours = layer.Ours();
            using (TorchSharp.torch.Tensor theirs = layer.Theirs())
                Equality.Require($"{name} libtorch", ours, layer.InOurOrder(theirs.ToArray()));
            Equality.Require($"{name} ONNX Runtime", ours, layer.InOurOrder(session.Result()));
            if (rounded is not null)
                Equality.RequireBf16(name, rounded.Ours(), ours);
            bench.Row(name, Threads, shape.Gflop, rounds: 9, quickSeconds: 1,
            [
                new Contender(Side.Ours, layer.RunOurs),
                new Contender(Side.TorchSharp, () => layer.Theirs().Dispose()),
                new Contender(Side.OnnxRuntime, session.Run),
                .. Bench.Bf16(rounded, rounded => rounded.RunOurs(), rounded => rounded.Theirs().Dispose()),
            ]);
        }
    }

    // ONNX Runtime has no training.
    private static void Training(Bench bench, string name, Problem shape)
    {
        if (!bench.Wants(name) || bench.Quick)
            return;
        using CpuDevice device = Bench.Device(Threads);
        using CpuDevice? bf16 = Bench.Bf16Device(Threads);
        using var layer = new Layer(device, shape);
        using Layer? rounded = bf16 is null ? null : new Layer(bf16, shape);
        layer.StepOurs();
        using (NewDisposeScope())
            foreach ((float[] ours, TorchSharp.torch.Tensor theirs) in layer.Gradients().Zip(layer.StepTheirs()))
                Equality.Require(name, ours, theirs.permute(0, 2, 3, 1).contiguous().ToArray());
        bench.Row(name, Threads, 3 * shape.Gflop, rounds: 9, quickSeconds: 0,
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
        private readonly Problem _shape;
        private readonly WindowAxis _axis;
        private readonly float[] _xValues, _wValues, _bValues;
        private readonly Tensor _x, _w, _b, _dy;
        private readonly TorchSharp.torch.Tensor _tx, _tw, _tb, _tdy;

        public Layer(CpuDevice device, Problem shape)
        {
            (_device, _shape) = (device, shape);
            (int images, int side, int channels, int features, int kernel) = shape;
            _axis = WindowAxis.Padded(kernel, 1, kernel / 2);
            // Values in the order of libtorch; ours are the same in NHWC.
            _xValues = Bench.Random((long)images * channels * side * side, 1);
            _wValues = Bench.Random((long)features * channels * kernel * kernel, 2, 0.05f);
            _bValues = Bench.Random(features, 3);
            float[] dyValues = Bench.Random((long)images * features * side * side, 4);
            bool bf16 = device.Operands == ElementType.BFloat16;
            _tx = Libtorch.From(_xValues, images, channels, side, side).In(bf16);
            _tw = Libtorch.From(_wValues, features, channels, kernel, kernel).In(bf16);
            _tb = Libtorch.From(_bValues, features).In(bf16);
            _tdy = Libtorch.From(dyValues, images, features, side, side).In(bf16);
            _x = Tensor.From(device, ChannelsLast(_xValues, images, channels, side * side),
                new Shape(images, side, side, channels));
            _w = Tensor.From(device, ChannelsLast(_wValues, features, channels, kernel * kernel),
                new Shape(features, kernel, kernel, channels));
            _b = Tensor.From(device, _bValues, new Shape(features));
            _dy = Tensor.From(device, ChannelsLast(dyValues, images, features, side * side),
                new Shape(images, side, side, features));
        }

        public void RunOurs()
        {
            using var tape = new Tape(_device, recording: false);
            tape.Convolution(_x, _w, _b, _axis, _axis, relu: true);
        }

        public float[] Ours()
        {
            using var tape = new Tape(_device, recording: false);
            return tape.Convolution(_x, _w, _b, _axis, _axis, relu: true).ToArray();
        }

        public TorchSharp.torch.Tensor Theirs() => Sums().relu_();

        public float[] InOurOrder(float[] result) =>
            ChannelsLast(result, _shape.Images, _shape.Features, _shape.Side * _shape.Side);

        public OnnxSession Session(int threads)
        {
            var graph = new OnnxGraph();
            (int images, int side, int channels, int features, int kernel) = _shape;
            int padding = kernel / 2;
            string x = graph.Input("x", OnnxType.Float, -1, channels, side, side), sums = graph.Node("Conv",
                [x, graph.Constant(_wValues, features, channels, kernel, kernel), graph.Constant(_bValues, features)],
                "", ("kernel_shape", new[] { kernel, kernel }), ("strides", new[] { 1, 1 }),
                ("pads", new[] { padding, padding, padding, padding }));
            graph.Output(graph.Node("Relu", [sums]), null, OnnxType.Float, -1, features, side, side);
            return new OnnxSession(graph.ToModel(), threads).With("x", _xValues, images, channels, side, side);
        }

        /// <summary>Forward, then the gradients by x and weight; the weight counts as new.</summary>
        public void StepOurs()
        {
            foreach (Tensor tensor in new[] { _x, _w })
            {
                tensor.RequiresGrad = true;
                tensor.ClearGradient();
            }
            _w.MarkWritten();
            using var tape = new Tape(_device);
            Tensor y = tape.Convolution(_x, _w, null, _axis, _axis);
            _device.Copy(_dy.Data, y.GradientTarget().Array);
            tape.PlayBack();
        }

        /// <summary>The same; the gradients are new tensors.</summary>
        public IList<TorchSharp.torch.Tensor> StepTheirs()
        {
            TorchSharp.torch.Tensor[] inputs = [_tx.requires_grad_(true), _tw.requires_grad_(true)];
            using TorchSharp.torch.Tensor y = Functional.conv2d(_tx, _tw, null, padding: [_axis.Before, _axis.Before]);
            return autograd.grad([y], inputs, [_tdy]);
        }

        public float[][] Gradients() => [.. new[] { _x, _w }.Select(tensor => _device.ToFloats(tensor.Gradient))];

        public void Dispose()
        {
            foreach (Tensor tensor in new[] { _x, _w, _b, _dy })
                tensor.Dispose();
            foreach (TorchSharp.torch.Tensor tensor in new[] { _tx, _tw, _tb, _tdy })
                tensor.Dispose();
        }

        private TorchSharp.torch.Tensor Sums() =>
            Functional.conv2d(_tx, _tw, _tb, padding: [_axis.Before, _axis.Before]);

        // [rows, channels, pixels] as [rows, pixels, channels].
        private static float[] ChannelsLast(float[] values, int rows, int channels, int pixels)
        {
            var result = new float[values.Length];
            for (int i = 0; i < values.Length; i++)
            {
                int pixel = i % pixels, channel = i / pixels % channels, row = i / pixels / channels;
                result[(row * pixels + pixel) * channels + channel] = values[i];
            }
            return result;
        }
    }
}
