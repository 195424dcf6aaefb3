using System.Runtime.InteropServices;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Memory;

namespace Cliper.Model.Tests.Seams;

/// <summary>A second optimizer: gradient descent with momentum, on the host. v = 0.9 v + g; p -= rate v.</summary>
internal sealed class MomentumDescent : IOptimizer
{
    private const float Momentum = 0.9f;

    private readonly List<Entry> _entries = [];

    public IReadOnlyList<string> StateNames => ["velocity"];

    public IEnumerable<Tensor> Parameters => _entries.Select(entry => entry.Parameter);

    public IEnumerable<OptimizerState> State => _entries.Where(entry => entry.Step > 0)
        .Select(entry => new OptimizerState(entry.Name, entry.Step, [entry.Velocity]));

    public void AddGroup(IEnumerable<(string Name, Tensor Parameter)> parameters, float weightDecay,
        float learningRateFactor = 1)
    {
        foreach ((string name, Tensor parameter) in parameters)
            _entries.Add(new Entry(name, parameter,
                Tensor.From(parameter.Device, new float[parameter.Shape.Count], parameter.Shape)));
    }

    public void Step(float learningRate, DeviceArray gradientScale = default)
    {
        foreach (Entry entry in _entries.Where(entry => entry.Parameter.HasGradient))
        {
            Device device = entry.Parameter.Device;
            float scale = gradientScale.IsNull ? 1 : device.ToFloats(gradientScale)[0];
            float[] values = entry.Parameter.ToArray(), velocity = entry.Velocity.ToArray();
            float[] gradient = device.ToFloats(entry.Parameter.Gradient);
            for (int i = 0; i < values.Length; i++)
            {
                velocity[i] = Momentum * velocity[i] + scale * gradient[i];
                values[i] -= learningRate * velocity[i];
            }
            Write(values, entry.Parameter);
            Write(velocity, entry.Velocity);
            entry.Step++;
        }
    }

    public void TakeBack()
    {
        foreach (Entry entry in _entries)
            entry.Step--;
    }

    public void ClearGradients()
    {
        foreach (Tensor parameter in Parameters)
            parameter.ClearGradient();
    }

    public void Restore(string name, int step, IReadOnlyList<float[]> values)
    {
        Entry entry = _entries.Single(candidate => candidate.Name == name);
        entry.Step = step;
        Write(values[0], entry.Velocity);
    }

    public void Dispose() => _entries.ForEach(entry => entry.Velocity.Dispose());

    private static void Write(float[] values, Tensor target)
    {
        target.Device.Upload(MemoryMarshal.AsBytes(values.AsSpan()), target.Data);
        target.MarkWritten();
    }

    private sealed record Entry(string Name, Tensor Parameter, Tensor Velocity)
    {
        public int Step { get; set; }
    }
}
