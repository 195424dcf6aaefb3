using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>CoCoOp against PyTorch: the meta-net, prompts of each picture, gradients of all parameters, five
/// steps.</summary>
public sealed class CoCoOpGoldenTests : MethodGoldenTests
{
    private const string Prefix = "cocoop_", Own = "cocoop.";

    private static IEnumerable<TestCaseData> Sets => GoldenSet.OfMethod(Prefix);

    [TestCaseSource(nameof(Sets))]
    public void ShiftsGradientsAndStepsAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenMethod(Prefix);
        using ClipWeights weights = set.LoadMethodWeights();
        var clip = new ClipModel(Device, weights);
        Tensor context = Read(golden, "init.ctx");
        ContextPrompts prompts = ContextPrompts.Create(Names(golden), context.Shape[0], NamePosition.End,
            MarksOf(clip.Config));
        var net = new CoCoOp.MetaNet(Read(golden, "init.meta_net.linear1.weight"),
            Read(golden, "init.meta_net.linear1.bias"), Read(golden, "init.meta_net.linear2.weight"),
            Read(golden, "init.meta_net.linear2.bias"));
        var cocoop = new CoCoOp(context, net, prompts);
        using CliperModel model = Model(clip, cocoop);
        model.Train(cocoop.Parameters);

        Assert.That(prompts.Ids, Is.EqualTo(Rows(golden, "token_ids")), "token_ids");
        Assert.That(prompts.Slots, Is.EqualTo(Rows(golden, "slots")), "slots");
        Assert.That(prompts.Ends, Is.EqualTo(Integers(golden, "ends")), "ends");
        using (var tape = new Tape(Device))
        {
            Tensor images = model.ImageFeatures(tape, Images(tape, golden, 0));
            AssertAgrees(golden, "shift", net.Forward(tape, tape.L2Normalize(images)).ToArray(), "shift");
            AssertAgrees(golden, "text_features", cocoop.Encode(tape, clip.Text, images).ToArray(), "text_features");
            Tensor logits = model.Logits(tape, images, model.ClassFeatures(tape));
            AssertAgrees(golden, "logits", logits.ToArray(), "logits");
            Tensor loss = tape.SoftmaxCrossEntropy(logits, Labels(tape, golden, 0));
            AssertAgrees(golden, "loss", loss.ToArray(), "loss");
            tape.Backward(loss);
            foreach ((string name, Tensor tensor) in cocoop.Parameters)
            {
                AssertAgrees(golden, "grad", Device.ToFloats(tensor.Gradient), "grad." + name[Own.Length..]);
                tensor.ClearGradient();
            }
        }
        using Sgd optimizer = OptimizerOf(golden, cocoop);
        AssertAgrees(golden, "losses", Train(golden, model, optimizer), "losses");
        foreach ((string name, Tensor tensor) in cocoop.Parameters)
        {
            AssertAgrees(golden, "final", tensor.ToArray(), "final." + name[Own.Length..]);
            Assert.That(tensor.ToArray(), Is.Not.EqualTo(golden.ReadFloats("init." + name[Own.Length..])),
                $"five steps move {name}");
        }
    }
}
