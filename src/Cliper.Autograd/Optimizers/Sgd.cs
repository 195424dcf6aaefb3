using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.SgdUpdate;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// Stochastic gradient descent with momentum (<see cref="Kernel"/>) over groups of named parameters, as PyTorch's
/// without dampening and Nesterov. A parameter without a gradient in a step is left as it is, decay included.
/// Velocities are made when a parameter's first gradient comes. Dispose it to free them; the parameters are their
/// owner's.
/// </summary>
/// <param name="momentum">Factor of the velocity, in [0, 1).</param>
public sealed class Sgd(double momentum = 0.9) : IOptimizer
{
    private readonly List<Entry> _entries = [];
    private readonly Dictionary<string, Entry> _byName = [];
    private readonly List<Entry> _stepped = [];

    private sealed class Entry(string name, Tensor parameter, float weightDecay, float rateFactor)
    {
        public string Name { get; } = name;
        public Tensor Parameter { get; } = parameter;
        public float WeightDecay { get; } = weightDecay;
        public float RateFactor { get; } = rateFactor;
        public int Step { get; set; }
        public Tensor? Velocity { get; set; }
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> StateNames => ["velocity"];

    /// <inheritdoc/>
    public IEnumerable<Tensor> Parameters => _entries.Select(entry => entry.Parameter);

    /// <inheritdoc/>
    public IEnumerable<OptimizerState> State => _entries.Where(entry => entry.Step > 0)
        .Select(entry => new OptimizerState(entry.Name, entry.Step, [entry.Velocity!]));

    /// <inheritdoc/>
    /// <remarks>The decay is coupled: decay times the parameter is added to the gradient, and so to the
    /// velocity.</remarks>
    public void AddGroup(IEnumerable<(string Name, Tensor Parameter)> parameters, float weightDecay,
        float learningRateFactor = 1)
    {
        foreach ((string name, Tensor parameter) in parameters)
        {
            var entry = new Entry(name, parameter, weightDecay, learningRateFactor);
            if (!_byName.TryAdd(name, entry))
                throw new ArgumentException($"two parameters called {name}", nameof(parameters));
            _entries.Add(entry);
        }
    }

    /// <inheritdoc/>
    public void Step(float learningRate, DeviceArray gradientScale = default)
    {
        List<Kernel.Slot> slots = [];
        _stepped.Clear();
        foreach (Entry entry in _entries.Where(entry => entry.Parameter.HasGradient))
        {
            Tensor parameter = entry.Parameter;
            if (entry.Velocity is null)
                parameter.Device.Clear((entry.Velocity = new Tensor(parameter.Device, parameter.Shape)).Data);
            entry.Step++;
            _stepped.Add(entry);
            slots.Add(new Kernel.Slot(parameter.Data, parameter.Gradient, entry.Velocity.Data,
                learningRate * entry.RateFactor, entry.WeightDecay, parameter.OperandCopy));
            parameter.MarkWrittenWithCopy();
        }
        Kernel.Step(CollectionsMarshal.AsSpan(slots), (float)momentum, gradientScale);
    }

    /// <inheritdoc/>
    public void TakeBack()
    {
        foreach (Entry entry in _stepped)
            entry.Step--;
        _stepped.Clear();
    }

    /// <inheritdoc/>
    public void ClearGradients()
    {
        foreach (Entry entry in _entries)
            entry.Parameter.ClearGradient();
    }

    /// <inheritdoc/>
    public void Restore(string name, int step, IReadOnlyList<float[]> values)
    {
        if (!_byName.TryGetValue(name, out Entry? entry))
            throw new ArgumentException($"the optimizer has no parameter called {name}", nameof(name));
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        if (values[0].Length != entry.Parameter.Shape.Count)
            throw new ArgumentException(
                $"a velocity of {values[0].Length} elements for {name} {entry.Parameter.Shape}", nameof(values));
        entry.Step = step;
        entry.Velocity ??= new Tensor(entry.Parameter.Device, entry.Parameter.Shape);
        entry.Velocity.Device.Upload(MemoryMarshal.AsBytes(values[0].AsSpan()), entry.Velocity.Data);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Entry entry in _entries)
            entry.Velocity?.Dispose();
        _entries.Clear();
        _byName.Clear();
        _stepped.Clear();
    }
}
