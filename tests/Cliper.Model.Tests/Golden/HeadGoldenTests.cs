using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Weights;
using AdamW = Cliper.Autograd.Optimizers.AdamW;

namespace Cliper.Model.Tests.Golden;

/// <summary>The linear probe against SciPy and PyTorch, and full fine-tuning against PyTorch.</summary>
public sealed class HeadGoldenTests : MethodGoldenTests
{
    private const string ProbePrefix = "linear_probe_", TunePrefix = "finetune_", Final = "final.";
    private const float Epsilon = 1e-4f, Decay = 0.1f;

    // SciPy's own solutions, stopped at the same gradient, are off by up to 2e-4 of the largest weight and by 3e-8 of
    // the objective: what the reference says to allow.
    private const double WeightBound = 1e-3, ObjectiveBound = 1e-7;

    private static IEnumerable<TestCaseData> Probes => GoldenSet.OfMethod(ProbePrefix);

    private static IEnumerable<TestCaseData> Tunes => GoldenSet.OfMethod(TunePrefix);

    [TestCaseSource(nameof(Probes))]
    public void OptimaOfTheProbeAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenMethod(ProbePrefix);
        float[] weight = golden.ReadFloats("0.weight");
        int classes = (int)golden.Entry("0.weight").Shape[0];
        ProbeObjective train = Objective(golden, "train", classes), validation = Objective(golden, "validation",
            classes), test = Objective(golden, "test", classes);
        var validated = new List<double>();
        // The bias is not regularized, and at the usual tolerance off by 2e-3 where C is 10.
        var exact = new ProbeSettings { Tolerance = 1e-9, MaxIterations = 10_000 };
        for (int i = 0; golden.Tensors.ContainsKey($"{i}.c"); i++)
        {
            // Powers of ten, which fp32 does not hold.
            double c = Math.Pow(10, Math.Round(Math.Log10(golden.ReadFloats($"{i}.c")[0])));
            LinearProbe.Solution solution = LinearProbe.Solve(train, c, exact, default);
            double[] point = solution.Found.Point;
            Assert.That(solution.Found.IsConverged, $"C = {c}");
            double mean = point.Skip(weight.Length).Average();
            GoldenSet.AssertRelativelyClose([.. point.Take(weight.Length).Select(value => (float)value)],
                golden.ReadFloats($"{i}.weight"), WeightBound, $"{i}.weight");
            GoldenSet.AssertRelativelyClose([.. point.Skip(weight.Length).Select(value => (float)(value - mean))],
                golden.ReadFloats($"{i}.bias"), WeightBound, $"{i}.bias");
            Assert.That(solution.Found.Value, Is.EqualTo(golden.ReadFloats($"{i}.objective")[0])
                .Within((ObjectiveBound + Math.Pow(2, -24)) * solution.Found.Value), $"{i}.objective");
            // The bias is free, so the columns of W sum to zero.
            for (int column = 0; column < train.Width; column++)
                Assert.That(Enumerable.Range(0, classes).Sum(k => point[k * train.Width + column]),
                    Is.EqualTo(0).Within(classes * exact.Tolerance * c * train.Samples), "sum of a column");
            foreach ((string split, ProbeObjective objective) in new[] { ("train", train),
                ("validation", validation), ("test", test) })
                Assert.That(objective.Accuracy(point), Is.EqualTo(golden.ReadFloats($"{i}.{split}_accuracy")[0])
                    .Within(1e-6), $"{i}.{split}_accuracy");
            validated.Add(validation.Accuracy(point));
        }
        Assert.That(validated.IndexOf(validated.Max()), Is.EqualTo(Integers(golden, "selected")[0]), "selected");
    }

    [TestCaseSource(nameof(Probes))]
    public void StepsOfAHeadAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenMethod(ProbePrefix);
        using var head = new LinearHead(LinearHead.ProbeName, Read(golden, "adamw.init.weight"),
            Read(golden, "adamw.init.bias"), normalize: false);
        foreach ((_, Tensor tensor) in head.Parameters)
            tensor.RequiresGrad = true;
        using var optimizer = new AdamW(epsilon: Epsilon);
        optimizer.AddGroup(head.Parameters, Decay);
        var losses = new float[golden.Entry("adamw.losses").Shape[0]];
        for (int step = 0; step < losses.Length; step++)
        {
            using var tape = new Tape(Device);
            Tensor features = tape.Own(Read(golden, "train.features"));
            int[] labels = Integers(golden, "train.labels");
            Tensor loss = tape.SoftmaxCrossEntropy(head.Logits(tape, features, head.Weight, 1),
                tape.Own(Tensor.From(Device, labels, new Shape(labels.Length))));
            losses[step] = loss.Item();
            tape.Backward(loss);
            optimizer.Step(golden.ReadFloats("adamw.lr")[0]);
            optimizer.ClearGradients();
        }
        AssertAgrees(golden, "adamw", losses, "adamw.losses");
        AssertAgrees(golden, "adamw", head.Weight.ToArray(), "adamw.final.weight");
        AssertAgrees(golden, "adamw", head.Bias.ToArray(), "adamw.final.bias");
    }

    [TestCaseSource(nameof(Tunes))]
    public void StepsOfTowerAndHeadAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenMethod(TunePrefix);
        using ClipWeights weights = set.LoadMethodWeights();
        var clip = new ClipModel(Device, weights);
        var head = new LinearHead(LinearHead.FineTuneName, Read(golden, "init.head.weight"),
            Read(golden, "init.head.bias"), normalize: false);
        using CliperModel model = Model(clip, head);
        CheckClips(golden, model);
        var tower = clip.Parameters.StartingWith("visual.").ToArray();
        model.Train([.. tower, .. head.Parameters]);
        using var optimizer = new AdamW(epsilon: Epsilon);
        float rate = golden.ReadFloats("lr.visual")[0];
        optimizer.AddGroup(tower, Decay);
        optimizer.AddGroup(head.Parameters, Decay, golden.ReadFloats("lr.head")[0] / rate);
        Dictionary<string, Tensor> all = tower.Concat(head.Parameters).ToDictionary();

        var losses = new float[golden.Entry("losses").Shape[0]];
        for (int step = 0; step < losses.Length; step++)
        {
            using var tape = new Tape(Device);
            Tensor logits = model.ImageLogits(tape, Images(tape, golden, step), 1, model.ClassFeatures(tape));
            Tensor loss = tape.SoftmaxCrossEntropy(logits, Labels(tape, golden, step));
            losses[step] = loss.Item();
            if (step == 0)
            {
                AssertAgrees(golden, "logits", logits.ToArray(), "logits");
                AssertAgrees(golden, "loss", loss.ToArray(), "loss");
            }
            tape.Backward(loss);
            if (step == 0)
                foreach (string name in golden.Tensors.Keys.Where(key => key.StartsWith("grad.",
                    StringComparison.Ordinal)))
                    AssertAgrees(golden, "grad", Device.ToFloats(all[name["grad.".Length..]].Gradient), name);
            optimizer.Step(rate);
            optimizer.ClearGradients();
        }
        AssertAgrees(golden, "losses", losses, "losses");
        string[] finals = [.. golden.Tensors.Keys.Where(key => key.StartsWith(Final, StringComparison.Ordinal))];
        Assert.That(finals.Select(name => name[Final.Length..]), Is.EquivalentTo(all.Keys));
        foreach (string name in finals)
            AssertAgrees(golden, "final", all[name[Final.Length..]].ToArray(), name);
    }

    /// <summary>A clip's logits are the head's on the mean of its frames' features.</summary>
    private void CheckClips(TensorSource golden, CliperModel model)
    {
        int[] shape = [.. golden.Entry("clips").Shape.Select(size => (int)size)];
        using var tape = new Tape(Device, recording: false);
        Tensor images = tape.Own(Tensor.From(Device, golden.ReadFloats("clips"),
            new Shape([shape[0] * shape[1], .. shape.Skip(2)])));
        Tensor features = model.ImageFeatures(tape, images, shape[1]);
        AssertAgrees(golden, "clip_features", features.ToArray(), "clip_features");
        AssertAgrees(golden, "clip_logits", model.Logits(tape, features, model.ClassFeatures(tape)).ToArray(),
            "clip_logits");
    }

    private static ProbeObjective Objective(TensorSource golden, string split, int classes) =>
        new(golden.ReadFloats($"{split}.features"), Integers(golden, $"{split}.labels"), classes);
}
