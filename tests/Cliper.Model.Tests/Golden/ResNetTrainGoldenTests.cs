using System.Globalization;
using Cliper.Autograd;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;
using AdamW = Cliper.Autograd.Optimizers.AdamW;

namespace Cliper.Model.Tests.Golden;

/// <summary>
/// Five steps of CLIPER's stage 2 with a ResNet against PyTorch: the losses of each step, and the tower's weights and
/// running statistics at the end.
/// </summary>
/// <remarks>
/// The same five steps in single and in double precision differ by up to 2e-4 of a loss and 4e-4 of a number at the end
/// (weights-tools/README.md). The two sides compared here err each by as much, in other directions: four times that is
/// allowed, relative to a tensor's largest entry.
/// </remarks>
public sealed class ResNetTrainGoldenTests : GoldenTests
{
    private const double LossBound = 4 * 2e-4, FinalBound = 4 * 4e-4;
    private const float Epsilon = 1e-4f, Decay = .1f;
    private const string Final = "final.";

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.ResNetTraining))]
    public void FiveStepsAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenTraining();
        using ClipWeights weights = set.LoadWeights();
        using var clip = new ClipModel(Device, weights);
        clip.Parameters.Train(ClipModel.IsVision);
        clip.Vision.IsTraining = true;
        int classes = Whole("K"), steps = (int)golden.Entry("images").Shape[0];
        var losses = new List<float>();
        using (Tensor texts = FromFile(golden, "text_features"))
        using (var optimizer = new AdamW(epsilon: Epsilon))
        {
            optimizer.AddGroup([.. clip.Parameters.Trainable().Where(parameter => ClipModel.IsVision(parameter.Name))],
                Decay);
            for (int step = 0; step < steps; step++)
            {
                using (var tape = new Tape(Device))
                    losses.AddRange(Step(tape, step, texts));
                optimizer.Step(golden.ReadFloats("lr")[0]);
                optimizer.ClearGradients();
            }
        }

        float[] expected = golden.ReadFloats("losses");
        for (int i = 0; i < expected.Length; i++)
            GoldenSet.AssertRelativelyClose([losses[i]], [expected[i]], LossBound,
                $"step {i / 2}, {(i % 2 == 0 ? "fine" : "margin")}");
        string[] finals = [.. golden.Tensors.Keys.Where(name => name.StartsWith(Final, StringComparison.Ordinal))];
        Assert.That(finals.Select(name => name[Final.Length..]), Is.SupersetOf(clip.Vision.Buffers));
        foreach (string final in finals)
        {
            string name = final[Final.Length..];
            GoldenSet.AssertRelativelyClose(ConvolutionLayout.ToFile(clip.Config, name, clip.Parameters[name]).Values,
                golden.ReadFloats(final), FinalBound, final);
        }

        float[] Step(Tape tape, int step, Tensor texts)
        {
            IReadOnlyList<long> shape = golden.Entry("images").Shape;
            int batch = (int)shape[1], size = (int)shape[3], pixels = batch * 3 * size * size;
            Tensor images = tape.Own(Tensor.From(Device, golden.ReadFloats("images").AsSpan(step * pixels, pixels),
                new Shape(batch, 3, size, size)));
            Tensor labels = tape.Own(Tensor.From(Device,
                [.. golden.ReadIntegers("labels").Skip(step * batch).Take(batch).Select(label => (int)label)],
                new Shape(batch)));
            Tensor features = clip.Vision.Forward(tape, images);
            Tensor cosines = tape.MatMul(tape.L2Normalize(features), tape.L2Normalize(texts), transposeB: true);
            Tensor both = tape.CliperLoss(tape.Scale(cosines, 1 / CliperModel.DefaultTemperature), labels, classes,
                Whole("M"), EmptySubclasses.MinusOneNinetyNinth);
            float[] values = both.ToArray();
            tape.Backward(tape.Sum(both));
            return values;
        }

        int Whole(string key) => int.Parse(golden.Metadata[key], CultureInfo.InvariantCulture);
    }

    private Tensor FromFile(TensorSource source, string name) => Tensor.From(Device, source.ReadFloats(name),
        new Shape([.. source.Entry(name).Shape.Select(axis => (int)axis)]));
}
