using System.Text.Json;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>CoOp against PyTorch: prompts to the bit, features, scores, gradients and five steps of SGD, for each
/// position of the name and kind of context; and zero-shot captions.</summary>
public sealed class CoOpGoldenTests : MethodGoldenTests
{
    private const string Prefix = "coop_";

    private static IEnumerable<TestCaseData> Sets => GoldenSet.OfMethod(Prefix);

    [TestCaseSource(nameof(Sets))]
    public void PromptsGradientsAndStepsAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenMethod(Prefix);
        using ClipWeights weights = set.LoadMethodWeights();
        using var cases = JsonDocument.Parse(golden.Metadata["cases"]);
        int index = 0;
        foreach (JsonElement entry in cases.RootElement.EnumerateArray())
        {
            var position = Enum.Parse<NamePosition>(entry.GetProperty("position").GetString()!, ignoreCase: true);
            Check(golden, weights, $"{index++}.", position);
        }
        Assert.That(index, Is.Positive);
    }

    [TestCaseSource(nameof(Sets))]
    public void ZeroShotCaptionsAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenMethod(Prefix);
        using ClipWeights weights = set.LoadMethodWeights();
        int classes = (int)golden.Entry("zero_shot.token_ids").Shape[0];
        int[][] texts = Rows(golden, "zero_shot.token_ids");
        var prompts = new FixedPrompts([.. texts.Chunk(texts.Length / classes)]);
        using CliperModel model = Model(new ClipModel(Device, weights), prompts);
        using var tape = new Tape(Device, recording: false);

        Tensor features = model.ClassFeatures(tape)!;
        AssertAgrees(golden, "zero_shot", features.ToArray(), "zero_shot.class_features");
        AssertAgrees(golden, "zero_shot", model.ImageLogits(tape, Images(tape, golden, 0), 1, features).ToArray(),
            "zero_shot.logits");
    }

    private void Check(TensorSource golden, ClipWeights weights, string name, NamePosition position)
    {
        var clip = new ClipModel(Device, weights);
        Tensor context = Read(golden, name + "ctx");
        ContextPrompts prompts = ContextPrompts.Create(Names(golden), context.Shape[-2], position,
            MarksOf(clip.Config));
        var coop = new CoOp(context, prompts);
        using CliperModel model = Model(clip, coop);
        model.Train(coop.Parameters);

        Assert.That(prompts.Ids, Is.EqualTo(Rows(golden, name + "token_ids")), name + "token_ids");
        Assert.That(prompts.Slots, Is.EqualTo(Rows(golden, name + "slots")), name + "slots");
        Assert.That(prompts.Ends, Is.EqualTo(Integers(golden, name + "ends")), name + "ends");
        using (var tape = new Tape(Device))
        {
            Assert.That(coop.Embed(tape, clip.Text).ToArray(), Is.EqualTo(golden.ReadFloats(name + "prompts")),
                name + "prompts");
            AssertAgrees(golden, "text_features", coop.Encode(tape, clip.Text).ToArray(), name + "text_features");
            Tensor images = model.ImageFeatures(tape, Images(tape, golden, 0));
            AssertAgrees(golden, "image_features", images.ToArray(),
                [.. golden.ReadFloats("image_features").Take((int)images.Shape.Count)], "image_features");
            Tensor logits = model.Logits(tape, images, model.ClassFeatures(tape));
            AssertAgrees(golden, "logits", logits.ToArray(), name + "logits");
            Tensor loss = tape.SoftmaxCrossEntropy(logits, Labels(tape, golden, 0));
            AssertAgrees(golden, "loss", loss.ToArray(), name + "loss");
            tape.Backward(loss);
            AssertAgrees(golden, "grad_ctx", Device.ToFloats(context.Gradient), name + "grad_ctx");
            context.ClearGradient();
        }
        using Sgd optimizer = OptimizerOf(golden, coop);
        AssertAgrees(golden, "losses", Train(golden, model, optimizer), name + "losses");
        AssertAgrees(golden, "final_ctx", context.ToArray(), name + "final_ctx");
    }
}
