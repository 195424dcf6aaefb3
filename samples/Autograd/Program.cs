// A network of two layers learns the exclusive or with the tensor layer alone: dotnet run --project samples/Autograd
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

const int Hidden = 8, Classes = 2, Steps = 300;
using var device = new CpuDevice();
var random = new Random(1);

using Tensor inputs = Tensor.From(device, new float[] { 0, 0, 0, 1, 1, 0, 1, 1 }, new Shape(4, 2));
using Tensor labels = Tensor.From(device, new int[] { 0, 1, 1, 0 }, new Shape(4));
(string Name, Tensor Tensor)[] parameters =
[
    ("weight1", Weights(Hidden, 2)), ("bias1", Weights(Hidden)),
    ("weight2", Weights(Classes, Hidden)), ("bias2", Weights(Classes)),
];
var optimizer = new AdamW();
optimizer.AddGroup(parameters, weightDecay: 0);

for (int step = 1; step <= Steps; step++)
{
    using var tape = new Tape(device);
    Tensor loss = tape.SoftmaxCrossEntropy(Logits(tape), labels);
    if (step % 100 == 0)
        Console.WriteLine($"step {step}: loss {loss.Item():F4}");
    // The tape plays backward once, and frees what it has kept for it.
    tape.Backward(loss);
    optimizer.Step(learningRate: 0.03f);
    foreach ((_, Tensor tensor) in parameters)
        tensor.ClearGradient();
}

using var answering = new Tape(device, recording: false);
float[] logits = Logits(answering).ToArray();
for (int row = 0; row < 4; row++)
    Console.WriteLine($"{row / 2} xor {row % 2} = {(logits[2 * row + 1] > logits[2 * row] ? 1 : 0)}");
foreach ((_, Tensor tensor) in parameters)
    tensor.Dispose();

Tensor Logits(Tape tape) => tape.Linear(
    tape.Linear(inputs, parameters[0].Tensor, parameters[1].Tensor, Activation.Gelu),
    parameters[2].Tensor, parameters[3].Tensor);

Tensor Weights(params int[] shape)
{
    float[] values = [.. Enumerable.Range(0, shape.Aggregate(1, (a, b) => a * b)).Select(_ =>
        (float)(random.NextDouble() - 0.5))];
    return new Tensor(device.From(values), new Shape(shape)) { RequiresGrad = true };
}
