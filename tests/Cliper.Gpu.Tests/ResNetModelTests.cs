using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Tests.Golden;
using Cliper.Model.Weights;

namespace Cliper.Gpu.Tests;

/// <summary>A ResNet on the interpreted GPU against the host: features in both modes, gradients, running
/// statistics.</summary>
/// <remarks>
/// A layer stores two results in 16 bits (the convolution's and the BatchNorm's), each off by at most u16 of its size,
/// independently. After the 18 layers of the longest path and the pooling a feature, as a vector, is off by at most F =
/// u16 sqrt(2 x 20). In training a BatchNorm takes the batch's mean away, in which numbers agree and errors do not:
/// T = 4 F is allowed. So far are the arguments of the ReLUs off, of which the share p = 0.8 T, the density of normal
/// numbers at zero times 2 T, then lies on the other side of zero and passes a gradient that it should not, or the
/// other way round: a gradient changes by sqrt(p) of its size at a ReLU, and by sqrt(15 p) at the 15 of a path; twice
/// that is allowed of few numbers, which are off by more than the mean. A layer that is wired wrongly gives another
/// gradient altogether, off by all of its length and more.
/// </remarks>
public sealed class ResNetModelTests : GpuFixture
{
    private const int Layers = 20, Relus = 15, Few = 16;

    private static IEnumerable<TestCaseData> Sets => GoldenSet.ResNet.Select(WholeModelTests.OthersAreLong);

    private double Features => U16 * Math.Sqrt(2.0 * Layers);

    private double Training => 4 * Features;

    private double Gradients => Math.Sqrt(Relus * 0.8 * Training);

    [TestCaseSource(nameof(Sets))]
    public void FeaturesAndGradientsAreTheHosts(GoldenSet set)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenActivations();
        using var host = new CpuDevice(1);
        float[] pixels = golden.ReadFloats("input.pixel_values");

        (Outcome actual, Outcome expected) = (Run(Device, weights, pixels), Run(host, weights, pixels));

        Assert.Multiple(() =>
        {
            AssertVector(actual.Inference, expected.Inference, Features, "features in inference");
            AssertVector(actual.Training, expected.Training, Training, "features in training");
            foreach ((string name, float[] values) in actual.Statistics)
                AssertVector(values, expected.Statistics[name], Training, name);
            foreach ((string name, float[] gradient) in actual.Gradients)
                AssertVector(gradient, expected.Gradients[name], (gradient.Length < Few ? 2 : 1) * Gradients,
                    "gradient of " + name);
        });
    }

    private sealed record Outcome(float[] Inference, float[] Training, Dictionary<string, float[]> Statistics,
        Dictionary<string, float[]> Gradients);

    private static Outcome Run(Device device, ClipWeights weights, float[] pixels)
    {
        // In exact arithmetic the gradient of the keys' bias is zero.
        const string KeyBias = "visual.attnpool.k_proj.bias";
        using var model = new ClipModel(device, weights);
        int size = model.Config.ImageSize;
        using Tensor images = Tensor.From(device, pixels, new Shape(pixels.Length / (3 * size * size), 3, size, size));
        float[] inference, training;
        using (var tape = new Tape(device, recording: false))
            inference = model.Vision.Forward(tape, images).ToArray();
        model.Parameters.Train(ClipModel.IsVision);
        model.Vision.IsTraining = true;
        using (var tape = new Tape(device))
        {
            Tensor features = model.Vision.Forward(tape, images);
            training = features.ToArray();
            tape.Backward(tape.Sum(tape.Multiply(features, features)));
        }
        return new Outcome(inference, training,
            model.Vision.Buffers.ToDictionary(name => name, name => model.Parameters[name].ToArray()),
            model.Parameters.Trainable().Where(parameter => ClipModel.IsVision(parameter.Name)
                && parameter.Name != KeyBias).GroupBy(parameter => Group(parameter.Name, parameter.Tensor.Shape))
                .ToDictionary(group => group.Key, group => group.SelectMany(parameter =>
                    device.ToFloats(parameter.Tensor.Gradient)).ToArray()));
    }

    // Scale and shift of a BatchNorm are one vector: the next BatchNorm takes a common scale away, so that in a stem of
    // two channels the scale's gradient alone is what little is left of a sum.
    private static string Group(string name, Shape shape) =>
        name.Contains("attnpool") || shape.Rank > 1 ? name : name[..name.LastIndexOf('.')];

    private static void AssertVector(float[] actual, float[] expected, double bound, string what)
    {
        double distance = Math.Sqrt(expected.Zip(actual, (x, y) => Math.Pow(x - y, 2)).Sum()
            / expected.Sum(x => (double)x * x));
        TestContext.Out.WriteLine($"{what}: off by {distance:E1} of its length, bound {bound:E1}");
        Assert.That(distance, Is.LessThanOrEqualTo(bound), what);
    }
}
