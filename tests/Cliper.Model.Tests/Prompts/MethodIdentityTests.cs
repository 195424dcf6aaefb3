using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Prompts;

/// <summary>Results that must be the same by one method and by another, without any reference file.</summary>
public sealed class MethodIdentityTests
{
    private const int Batch = 3;

    private static readonly string[] Words = ["happy", "sad", "angry"];

    // Sums of other orders: a few roundings of numbers of size 1.
    private const double Rounding = 2e-5;

    private readonly CpuDevice _device = new(1);
    private readonly ClipTokenizer _tokenizer = new(BpeTrainer.Train(
        [.. Enumerable.Repeat("a photo of a happy. a photo of a sad. a photo of a angry.", 20)], 600, Words));

    [OneTimeTearDown]
    public void EndDevice() => _device.Dispose();

    [TestCase(NamePosition.End, "a photo of a {}.")]
    [TestCase(NamePosition.Middle, "a photo {} of a.")]
    [TestCase(NamePosition.Front, "{} a photo of a.")]
    public void CoOp_ContextOfWords_IsZeroShot(NamePosition position, string template)
    {
        using ClipModel clip = Clip();
        ContextPrompts prompts = ContextPrompts.Create(_tokenizer, Words, 4, position, clip.Config.ContextLength);
        using var coop = new CoOp(ContextOf(clip, "a photo of a"), prompts);
        using var fixedPrompts = new FixedPrompts([.. Words.Select(word => (int[][])
            [_tokenizer.Encode(PromptTemplates.Fill(template, word), clip.Config.ContextLength)])]);
        using var tape = new Tape(_device, recording: false);

        float[] learned = coop.ClassFeatures(tape, clip, null).ToArray(),
            words = fixedPrompts.ClassFeatures(tape, clip, null).ToArray();

        // The captions' features are normalized twice, once for each and once for their mean.
        Assert.That(learned, Is.EqualTo(words).Within(1e-6));
    }

    [Test]
    public void CoCoOp_SecondLayerOfZeros_IsCoOp()
    {
        using ClipModel clip = Clip();
        ContextPrompts prompts = ContextPrompts.Create(_tokenizer, Words, 4, NamePosition.End,
            clip.Config.ContextLength);
        using var coop = new CoOp(ContextOf(clip, "a photo of a"), prompts);
        CoCoOp.MetaNet random = CoCoOp.MetaNet.Random(_device, clip.Config, seed: 3);
        foreach (Tensor tensor in (Tensor[])[random.OutputWeight, random.OutputBias])
            _device.Clear(tensor.Data);
        using var cocoop = new CoCoOp(ContextOf(clip, "a photo of a"), random, prompts);
        using var tape = new Tape(_device, recording: false);
        Tensor images = Features(tape, clip, Batch, seed: 1);

        float[] shared = Scores(tape, coop, clip, images), own = Scores(tape, cocoop, clip, images);

        Assert.That(own, Is.EqualTo(shared).Within(Rounding));
    }

    [Test]
    public void CoCoOp_Batch_IsTheMeanOfItsSamples()
    {
        using ClipModel clip = Clip();
        ContextPrompts prompts = ContextPrompts.Create(_tokenizer, Words, 4, NamePosition.End,
            clip.Config.ContextLength);
        using var cocoop = new CoCoOp(ContextOf(clip, "a photo of a"), CoCoOp.MetaNet.Random(_device, clip.Config, 3),
            prompts);
        clip.Parameters.Train(_ => false);
        foreach ((_, Tensor tensor) in cocoop.Parameters)
            tensor.RequiresGrad = true;
        float[] features;
        using (var tape = new Tape(_device, recording: false))
            features = Features(tape, clip, Batch, seed: 1).ToArray();
        int width = clip.Config.EmbedSize;

        float together = Step([0, 1, 2], 1);
        float[][] gradients = [.. cocoop.Parameters.Select(entry => _device.ToFloats(entry.Tensor.Gradient))];
        foreach ((_, Tensor tensor) in cocoop.Parameters)
            tensor.ClearGradient();
        float apart = Enumerable.Range(0, Batch).Select(sample => Step([sample], 1f / Batch)).Average();

        Assert.That(apart, Is.EqualTo(together).Within(Rounding));
        for (int i = 0; i < gradients.Length; i++)
            Assert.That(_device.ToFloats(cocoop.Parameters[i].Tensor.Gradient),
                Is.EqualTo(gradients[i]).Within(Rounding), cocoop.Parameters[i].Name);

        float Step(int[] samples, float scale)
        {
            using var tape = new Tape(_device);
            Tensor images = tape.Own(Tensor.From(_device,
                [.. samples.SelectMany(sample => features.Skip(sample * width).Take(width))],
                new Shape(samples.Length, width)));
            Tensor loss = tape.SoftmaxCrossEntropy(cocoop.Logits(tape, images,
                cocoop.ClassFeatures(tape, clip, images), 0.1f),
                tape.Own(Tensor.From(_device, samples, new Shape(samples.Length))));
            float value = loss.Item();
            tape.Backward(loss, scale);
            return value;
        }
    }

    [Test]
    public void Cliper_OneDescriptorAClass_HasTwiceTheCrossEntropy()
    {
        float[] values = [0.3f, -1.2f, 2.5f, 0.1f, 0.2f, -0.4f];
        using var logits = Tensor.From(_device, values, new Shape(2, 3));
        logits.RequiresGrad = true;
        int[] labels = [2, 0];

        float[] both = Gradient((tape, targets) => tape.Sum(tape.CliperLoss(logits, targets, 3, 1)), out float twice);
        float[] plain = Gradient((tape, targets) => tape.SoftmaxCrossEntropy(logits, targets), out float once);

        Assert.That(twice, Is.EqualTo(2 * once).Within(1e-6));
        Assert.That(both, Is.EqualTo(plain.Select(value => 2 * value)).Within(1e-6));

        float[] Gradient(Func<Tape, Tensor, Tensor> loss, out float value)
        {
            using var tape = new Tape(_device);
            Tensor result = loss(tape, tape.Own(Tensor.From(_device, labels, new Shape(2))));
            value = result.Item();
            tape.Backward(result);
            float[] gradient = _device.ToFloats(logits.Gradient);
            logits.ClearGradient();
            return gradient;
        }
    }

    [Test]
    public void FineTuning_TowerAtRateZero_IsTheProbeBySgd()
    {
        const int Steps = 5;
        const float Rate = 0.5f;
        float[][] tuned = Head(trainsTower: true), probed = Head(trainsTower: false);

        // Both towers compute a feature of at most 1 by sums of at most 192 terms, so it is off by less than 192
        // roundings, and a gradient of the head, at most 2 features, by less than twice that and a few more.
        double bound = Steps * Rate * 400 * Math.Pow(2, -24);
        for (int i = 0; i < tuned.Length; i++)
            Assert.That(tuned[i], Is.EqualTo(probed[i]).Within(bound));
        Assert.That(tuned[0].Zip(probed[0]).Max(pair => Math.Abs(pair.First)), Is.GreaterThan(0.2), "it has moved");

        float[][] Head(bool trainsTower)
        {
            using var model = new CliperModel(Clip(), LinearHead.Random(_device, LinearHead.FineTuneName,
                Words.Length, 32, normalize: true, seed: 5), Words);
            var stage = new HeadStage(model, new StageLoss(default, null, null), trainsTower, headFactor: 1, null);
            model.Train(stage.Trained);
            using IOptimizer optimizer = StageLoop.OptimizerOf(new StageSettings { Optimizer = OptimizerKind.Sgd },
                stage.Trained, name => ClipModel.IsVision(name) ? 0 : 1);
            var random = new Random(7);
            for (int step = 0; step < Steps; step++)
            {
                using var tape = new Tape(_device);
                Tensor images = tape.Own(Tensor.From(_device, [.. Enumerable.Range(0, Batch * 3 * 16 * 16)
                    .Select(_ => 2 * random.NextSingle() - 1)], new Shape(Batch, 3, 16, 16)));
                using var labels = new Batch(step, [0, 1, 2], [0, 1, 2], []);
                tape.Backward(stage.Loss(tape, stage.Features(tape, images, 1), labels, epoch: 0).Total);
                optimizer.Step(Rate);
                optimizer.ClearGradients();
            }
            return [.. model.Prompts.Parameters.Select(entry => entry.Tensor.ToArray())];
        }
    }

    [Test]
    public void ContextPrompts_NamesOfDifferentLength_EndWhereTheyEnd()
    {
        ContextPrompts prompts = ContextPrompts.Create([[5], [6, 7]], 3, NamePosition.Middle, new(90, 20, 9, 91));

        Assert.That(prompts.Ids[0], Is.EqualTo(new[] { 90, 20, 5, 20, 20, 9, 91, 0 }));
        Assert.That(prompts.Ids[1], Is.EqualTo(new[] { 90, 20, 6, 7, 20, 20, 9, 91 }));
        Assert.That(prompts.Slots[1], Is.EqualTo(new[] { 1, 4, 5 }), "an odd context has the longer part behind");
        Assert.That(prompts.Ends, Is.EqualTo(new[] { 6, 7 }));
    }

    [Test]
    public void ContextPrompts_TooLong_NamesTheClass() =>
        Assert.That(() => ContextPrompts.Create(_tokenizer, Words, 60, NamePosition.End, 20),
            Throws.InstanceOf<SettingsException>().With.Message.Contains("the prompt of class 'happy'"));

    private static float[] Scores(Tape tape, IPromptLearner prompts, ClipModel clip, Tensor images) =>
        prompts.Logits(tape, images, prompts.ClassFeatures(tape, clip, images), 1).ToArray();

    private Tensor Features(Tape tape, ClipModel clip, int count, int seed)
    {
        var random = new Random(seed);
        int width = clip.Config.EmbedSize;
        return tape.Own(Tensor.From(_device,
            [.. Enumerable.Range(0, count * width).Select(_ => random.NextSingle() - 0.5f)], new Shape(count, width)));
    }

    private Tensor ContextOf(ClipModel clip, string words)
    {
        int[] ids = _tokenizer.EncodeWords(words);
        Assert.That(ids, Has.Length.EqualTo(4), "each word is one token of the vocabulary");
        float[] table = clip.Parameters["token_embedding.weight"].ToArray();
        int width = clip.Config.TextWidth;
        return Tensor.From(_device, [.. ids.SelectMany(id => table.Skip(id * width).Take(width))],
            new Shape(ids.Length, width));
    }

    private ClipModel Clip()
    {
        using ClipWeights weights = ClipWeights.Random(new ClipShape
        {
            ImageSize = 16,
            PatchSize = 8,
            VisionWidth = 64,
            VisionLayers = 1,
            TextWidth = 64,
            TextLayers = 2,
            EmbedSize = 32,
        }.ToConfig(_tokenizer.Vocabulary.Count), seed: 1);
        return new ClipModel(_device, weights);
    }
}
