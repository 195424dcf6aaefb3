using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Gpu.Tests;

/// <summary>Tests of work on all tensors of a model in one launch, and where its state goes.</summary>
[TestFixture(ElementType.Float16)]
[TestFixture(ElementType.BFloat16)]
[Parallelizable(ParallelScope.Self)]
public sealed class OptimizerTests(ElementType stored) : GpuFixture(stored)
{
    private static readonly int[] Lengths = [3, 0, 16_384, 1, 40_001, 64, 0];

    [TestCase(1e9, 1)]
    [TestCase(2, 64)]
    public void NormAndFactorOfManyArraysAreMeasuredInTwoLaunches(double maximum, double scale)
    {
        float[][] values = [.. Lengths.Select((length, index) => Random(length, index, half: false))];
        DeviceArray[] arrays = [.. values.Select(part => Device.From(part))];
        DeviceArray result = Device.Allocate(GradientNorm.Results);

        GradientNorm.Measure(arrays, maximum, scale, result);

        (double norm, double factor) = GradientNormReference.Measure(values, maximum, scale);
        // A thread adds up to 64 squares in fp32, a block's threads 13 more times, and the parts' sum is one of 14
        // more: at most 91 roundings of u32, of which the root halves the effect; root, products and quotient are off
        // by at most 8 in all.
        float[] found = Device.ToFloats(result);
        Assert.That(found[0], Is.EqualTo(norm).Within(54 * U32 * norm));
        Assert.That(found[1], Is.EqualTo(factor).Within(54 * U32 * factor));
        Assert.That(Device.Launched.Select(kernel => kernel.Name),
            Is.EquivalentTo(new[] { "Gradient Squares", "Gradient Factor" }));
        Free([.. arrays, result]);
    }

    [Test]
    public void OneElementThatIsNotFiniteIsFound([Values(float.NaN, float.PositiveInfinity, 1e30f)] float bad,
        [Values(0, 40_000)] int at)
    {
        float[] values = Random(40_001, 1);
        values[at] = bad;
        DeviceArray[] arrays = [Device.From(Random(5, 2)), Device.From(values)];
        DeviceArray result = Device.Allocate(GradientNorm.Results);

        GradientNorm.Measure(arrays, 1, 1, result);

        float[] found = Device.ToFloats(result);
        Assert.That(float.IsFinite(found[0]), Is.False);
        Assert.That(found[1], Is.Zero, "the step is left out");
        Free([.. arrays, result]);
    }

    [Test]
    public void AFactorOfZeroWritesNothing()
    {
        DeviceArray[] arrays = [.. Enumerable.Range(1, 3).Select(seed => Device.From(Random(20, seed)))];
        DeviceArray gradient = Device.From([.. Enumerable.Repeat(float.NaN, 20)]), factor = Device.From([0f]);

        AdamWUpdate.Step([new(arrays[0], gradient, arrays[1], arrays[2], 1, 0.01f, 0.1f)],
            new AdamWUpdate.Settings(.9, .999, 1e-4, factor));

        for (int index = 0; index < arrays.Length; index++)
            Assert.That(Device.ToFloats(arrays[index]), Is.EqualTo(Random(20, index + 1)));
        Free([.. arrays, gradient, factor]);
    }

    [Test]
    public void TheStepLeavesTheCopyThatProductsRead()
    {
        DeviceArray[] weights = [.. Lengths.Select((length, index) => Device.From(Random(length, index, half: false)))];
        DeviceArray[] gradients =
            [.. Lengths.Select((length, index) => Device.From(Random(length, 50 + index, half: false)))];
        DeviceArray[] first = [.. Lengths.Select(length => Device.From(new float[length]))];
        DeviceArray[] second = [.. Lengths.Select(length => Device.From(new float[length]))];
        // One tensor has no copy.
        DeviceArray[] copies = [.. Lengths.Select((length, index) => index == 3 ? default
            : Device.Allocate(length, Stored))];

        AdamWUpdate.Slot[] slots = [.. Enumerable.Range(0, Lengths.Length).Select(i =>
            new AdamWUpdate.Slot(weights[i], gradients[i], first[i], second[i], 1, 1e-2f, .1f, copies[i]))];
        DeviceArray half = Device.From([.5f]);
        AdamWUpdate.Step(slots, new AdamWUpdate.Settings(.9, .999, 1e-4, half));

        for (int i = 0; i < Lengths.Length; i++)
            if (!copies[i].IsNull)
                Assert.That(Device.ToFloats(copies[i]), Is.EqualTo(Rounded(Device.ToFloats(weights[i]))), $"{i}");
        Assert.That(Device.Launched.Single().Name, Is.EqualTo(Stored == ElementType.Float16 ? "AdamW Fp16"
            : "AdamW Bf16"));
        Free([.. weights, .. gradients, .. first, .. second, .. copies, half]);
    }

    [Test]
    public void TheStepRoundedToHalfHasTheHostsBits()
    {
        using var host = new CpuDevice(1);
        float[][] starts = [.. Enumerable.Range(0, 4).Select(array => Random(5000, array, half: false))];
        // Gradients from those whose squares underflow to those that fill the range.
        for (int i = 0; i < starts[1].Length; i++)
            starts[1][i] *= MathF.Pow(10, -(i % 8));
        for (int i = 0; i < starts[3].Length; i++)
            starts[3][i] = MathF.Abs(starts[3][i]);
        DeviceArray[] here = [.. starts.Select(values => Device.From(values))];
        DeviceArray[] there = [.. starts.Select(values => host.From(values))];
        DeviceArray copy = Device.Allocate(5000, Stored);

        for (int step = 1; step <= 2; step++)
        {
            var settings = new AdamWUpdate.Settings(.9, .999, 1e-4, RoundsToHalf: true);
            AdamWUpdate.Step([new(here[0], here[1], here[2], here[3], step, 1e-3f, .1f, copy)], settings);
            AdamWUpdate.Step([new(there[0], there[1], there[2], there[3], step, 1e-3f, .1f)], settings);
        }

        foreach (int array in (int[])[0, 2, 3])
            Assert.That(Device.ToFloats(here[array]), Is.EqualTo(host.ToFloats(there[array])), $"array {array}");
        Assert.That(Device.ToFloats(copy), Is.EqualTo(Rounded(Device.ToFloats(here[0]))));
        Free([.. here, copy]);
        foreach (DeviceArray array in there)
            host.Free(array);
    }

    [Test]
    public void SgdUpdate_ManyTensors_FollowTheReferenceAndLeaveTheirCopies()
    {
        const float Momentum = .9f, Rate = .125f, Decay = .05f, Scale = .5f;
        int[] lengths = [3, 0, 4100, 64];
        float[][] p = [.. lengths.Select((length, index) => Random(length, index, half: false))],
            g = [.. lengths.Select((length, index) => Random(length, 50 + index, half: false))],
            v = [.. lengths.Select((length, index) => Random(length, 90 + index, half: false))];
        DeviceArray[] weights = [.. p.Select(values => Device.From(values))],
            gradients = [.. g.Select(values => Device.From(values))],
            velocities = [.. v.Select(values => Device.From(values))],
            copies = [.. lengths.Select((length, index) => index == 0 ? default : Device.Allocate(length, Stored))];
        DeviceArray factor = Device.From([Scale]), none = Device.From([0f]);

        SgdUpdate.Step([.. lengths.Select((_, i) => new SgdUpdate.Slot(weights[i], gradients[i], velocities[i], Rate,
            Decay, copies[i]))], Momentum, factor);
        SgdUpdate.Step([new SgdUpdate.Slot(weights[0], gradients[0], velocities[0], Rate, Decay)], Momentum, none);

        for (int i = 0; i < lengths.Length; i++)
        {
            double[] dp = Doubles.Of(p[i]), dv = Doubles.Of(v[i]);
            SgdUpdateReference.Step(dp, Doubles.Of(g[i]), dv, new(Momentum, Rate, Decay), Scale);
            // The velocity is below 4 and rounds four times; p, below 2, rounds once more.
            Assert.That(Device.ToFloats(velocities[i]).Select(value => (double)value),
                Is.EqualTo(dv).Within(4 * 4 * U32), $"v of {lengths[i]}");
            Assert.That(Device.ToFloats(weights[i]).Select(value => (double)value),
                Is.EqualTo(dp).Within((2 + Rate * 16) * U32), $"p of {lengths[i]}");
            if (!copies[i].IsNull)
                Assert.That(Device.ToFloats(copies[i]), Is.EqualTo(Rounded(Device.ToFloats(weights[i]))), $"{i}");
        }
        Free([.. weights, .. gradients, .. velocities, .. copies, factor, none]);
    }

    [Test]
    public void ACopyOnTheHostIsRefused()
    {
        using var host = new CpuDevice(1);
        DeviceArray p = host.From([1f]), copy = host.Allocate(1, ElementType.Float16);
        Assert.That(() => AdamWUpdate.Step([new AdamWUpdate.Slot(p, p, p, p, 1, 1, 1, copy)],
            new AdamWUpdate.Settings(.9, .999, 1)),
            Throws.ArgumentException.With.Message.Contains("the copy of parameter 0"));
        host.Free(p);
        host.Free(copy);
    }

    [Test]
    public void TheNextStepTakesTheCopyAndMakesNoOther()
    {
        using var weight = Tensor.From(Device, Random(64 * 64, 1, half: false), new Shape(64, 64));
        weight.RequiresGrad = true;
        using var x = new Tensor(Halves(Random(8 * 64, 2)), new Shape(8, 64));
        using var optimizer = new AdamW();
        optimizer.AddGroup([("weight", weight)], weightDecay: 0);
        for (int step = 0; step < 3; step++)
        {
            nint before = weight.OperandCopy.Address;
            // Under another shape, and of a part, it is the same copy.
            Tensor part = weight.Rows(16, 32);
            using (var tape = new Tape(Device, recording: false))
            {
                tape.Linear(x, weight.Reshape(new Shape(32, 128)).Reshape(weight.Shape));
                tape.Linear(x, part);
            }
            Assert.That(part.AsOperand(), Is.EqualTo(weight.OperandCopy.Slice(16 * 64, 32 * 64)));
            Device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(Random(64 * 64, step).AsSpan()),
                weight.GradientTarget().Array);
            if (step > 0)
                Assert.That(weight.OperandCopy.Address, Is.EqualTo(before));
            optimizer.Step(1e-2f);
            Assert.That(Device.ToFloats(weight.AsOperand()), Is.EqualTo(Rounded(weight.ToArray())));
            optimizer.ClearGradients();
        }
        weight.MarkWritten();
        Assert.That(weight.OperandCopy.IsNull, "somebody else has written: the copy is stale");
    }

    [Test]
    public void AnInterruptedRunGoesOnBitByBitWithItsLossScale([Values] bool hasScale)
    {
        string path = Path.Combine(Path.GetTempPath(), $"loss-scale-{Guid.NewGuid()}.safetensors");
        try
        {
            using CliperModel straight = Create();
            using var optimizer = OptimizerOf(straight);
            // Doubles at the third finite step, which is the second after the interruption.
            var scaler = new LossScaler(4, interval: 3);
            for (int step = 0; step < 2; step++)
                Train(straight, optimizer, scaler, step);
            var state = new TrainingState(TrainingStage.Stage1, 0, 2, -1, 0, hasScale ? scaler.Current : null);
            Checkpoint.Save(path, straight, new CheckpointInfo(1, "test", ""), TensorType.F32,
                new ResumeState(state, optimizer, Average: null));

            using Checkpoint.CheckpointReader reader = new(path);
            Assert.That(reader.State, Is.EqualTo(state));
            using CliperModel resumed = reader.ReadModel(Device);
            ((Metd)resumed.Prompts).Vectors.RequiresGrad = true;
            using var resumedOptimizer = OptimizerOf(resumed);
            reader.Restore(resumedOptimizer);
            var resumedScaler = new LossScaler(2, interval: 3);
            if (reader.State!.LossScale is { } scale)
                resumedScaler.Restore(scale);
            for (int step = 2; step < 4; step++)
            {
                Train(straight, optimizer, scaler, step);
                Train(resumed, resumedOptimizer, resumedScaler, step);
            }

            Assert.That(scaler.Scale, Is.EqualTo(8));
            Assert.That(resumedScaler.Scale, Is.EqualTo(hasScale ? 8 : 2), "without a saved scale it begins anew");
            if (hasScale)
                Assert.That(((Metd)resumed.Prompts).Vectors.ToArray(),
                    Is.EqualTo(((Metd)straight.Prompts).Vectors.ToArray()));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Test]
    public void ADamagedLossScaleIsOneClearError()
    {
        string path = Path.Combine(Path.GetTempPath(), $"loss-scale-{Guid.NewGuid()}.safetensors");
        try
        {
            using CliperModel model = Create();
            Checkpoint.Save(path, model, new CheckpointInfo(1, "test", ""), TensorType.F32,
                new ResumeState(new TrainingState(TrainingStage.Stage1, 0, 2, -1, 0, new LossScaler.State(-2, 0)),
                    Optimizer: null, Average: null));
            using Checkpoint.CheckpointReader reader = new(path);
            Assert.That(() => reader.State,
                Throws.TypeOf<InputException>().With.Message.Contains("a loss scale from 1 to 2^24"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static AdamW OptimizerOf(CliperModel model)
    {
        var optimizer = new AdamW(epsilon: 1e-4);
        optimizer.AddGroup([(Metd.ParameterName, ((Metd)model.Prompts).Vectors)], weightDecay: 0);
        return optimizer;
    }

    private void Train(CliperModel model, AdamW optimizer, LossScaler scaler, int step)
    {
        const int Batch = 3;
        using (var tape = new Tape(Device))
        {
            int width = model.Clip.Config.EmbedSize;
            Tensor features = tape.Own(Tensor.From(Device, Random(Batch * width, step), new Shape(Batch, width)));
            Tensor labels = tape.Own(Tensor.From(Device, (ReadOnlySpan<int>)[0, 1, 0], new Shape(Batch)));
            Tensor logits = model.Logits(tape, features, model.ClassFeatures(tape));
            Tensor losses = tape.CliperLoss(logits, labels, model.Classes.Count, model.Prompts.PromptsPerClass);
            tape.Backward(tape.Sum(losses), scaler.Scale);
        }
        using var clipping = new GradientClipping(Device);
        clipping.Measure(optimizer.Parameters, scaler.Scale);
        optimizer.Step(1e-2f, clipping.Factor);
        optimizer.ClearGradients();
        bool finite = clipping.Read().IsFinite;
        scaler.Update(finite);
        if (!finite)
            optimizer.TakeBack();
    }

    private CliperModel Create()
    {
        using ClipWeights weights = ClipWeights.Random(BenchmarkTests.Config, seed: 1);
        var clip = new ClipModel(Device, weights);
        clip.Parameters.Train(_ => false);
        int[] prompt = [14, 1, 2, 3, 3, 4, 15];
        Metd metd = Metd.Random(Device, 2, 2, BenchmarkTests.Config.TextWidth, new DescriptorPrompt(prompt, 3, 2),
            seed: 1);
        metd.Vectors.RequiresGrad = true;
        return new CliperModel(clip, metd, ["a", "b"]);
    }
}
