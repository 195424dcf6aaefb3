using Cliper.Autograd;
using Cliper.Kernels.Devices;
using Cliper.Model.Training;

namespace Cliper.Model.Tests.Training;

public sealed class PhaseTests
{
    [TestCase(true)]
    [TestCase(false)]
    public void GainsAndBiasesDecayOnlyWhereTheyShould(bool decayVectors)
    {
        using var device = new HostDevice(1);
        using Tensor matrix = Tensor.From(device, [1f, 1f, 1f, 1f], new Shape(2, 2)), gain = Tensor.From(device, [1f, 1f], new Shape(2));
        matrix.RequiresGrad = gain.RequiresGrad = true;
        var settings = new PhaseSettings { Epochs = 1, WeightDecay = 0.5f, DecayVectors = decayVectors };
        using var phase = new Phase("pretrain", settings, device, [("weight", matrix), ("gain", gain)]);
        using (var tape = new Tape(device))
            tape.Backward(tape.Scale(tape.Add(tape.Sum(matrix), tape.Sum(gain)), 0));

        phase.Optimizer.Step(0.1f);

        // A gradient of nothing moves nothing: what is left is 1 - rate * decay.
        Assert.That(matrix.ToArray(), Is.All.EqualTo(0.95f).Within(1e-6f));
        Assert.That(gain.ToArray(), Is.All.EqualTo(decayVectors ? 0.95f : 1f).Within(1e-6f));
    }
}
