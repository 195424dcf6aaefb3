using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.AdamWUpdate;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// Adam with decoupled weight decay (<see cref="Kernel"/>) over groups of named parameters. A parameter without a gradient in
/// a step is left as it is, decay included; each counts its own steps, as PyTorch does. Moments are made when a
/// parameter's first gradient comes, so what is frozen costs nothing. Dispose it to end the moments; the parameters are
/// their owner's.
/// </summary>
/// <param name="beta1">Decay of the first moment.</param>
/// <param name="beta2">Decay of the second moment.</param>
/// <param name="epsilon">Added to the root of the second moment; CLIPER's recipes use 1e-4.</param>
public sealed class AdamW(double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8) : IDisposable
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
        public Tensor? First { get; set; }
        public Tensor? Second { get; set; }
    }

    /// <summary>The state of one parameter that has been updated, as a checkpoint keeps it.</summary>
    /// <param name="Name">The parameter's name.</param>
    /// <param name="Step">Steps taken.</param>
    /// <param name="First">Running mean of the gradient, of the parameter's shape.</param>
    /// <param name="Second">Running mean of its square, of the parameter's shape.</param>
    public readonly record struct Moments(string Name, int Step, Tensor First, Tensor Second);

    /// <summary>The parameters of all groups, in the order in which they were added.</summary>
    public IEnumerable<Tensor> Parameters => _entries.Select(entry => entry.Parameter);

    /// <summary>The state of every parameter that has been stepped, in the order of <see cref="Parameters"/>. Not copies.</summary>
    public IEnumerable<Moments> State =>
        _entries.Where(entry => entry.Step > 0).Select(entry => new Moments(entry.Name, entry.Step, entry.First!, entry.Second!));

    /// <summary>Adds parameters that share a weight decay.</summary>
    /// <param name="parameters">Names, each used once in this optimiser, and tensors.</param>
    /// <param name="weightDecay">Share of the parameter taken off a step, times the learning rate.</param>
    /// <param name="learningRateFactor">Factor on the learning rate given to <see cref="Step"/>.</param>
    /// <exception cref="ArgumentException">A name is there already.</exception>
    public void AddGroup(IEnumerable<(string Name, Tensor Parameter)> parameters, float weightDecay, float learningRateFactor = 1)
    {
        foreach ((string name, Tensor parameter) in parameters)
        {
            var entry = new Entry(name, parameter, weightDecay, learningRateFactor);
            if (!_byName.TryAdd(name, entry))
                throw new ArgumentException($"two parameters called {name}", nameof(parameters));
            _entries.Add(entry);
        }
    }

    /// <summary>Updates every parameter that has a gradient and marks it written. Gradients stay: clear them after.</summary>
    /// <param name="learningRate">Learning rate of this step, as a schedule gives it.</param>
    /// <param name="gradientScale">Factor of every gradient, one element on the device, such as <see cref="GradientClipping.Factor"/>; null for 1.
    /// Where it turns out to be 0 nothing is updated: say so with <see cref="TakeBack"/>.</param>
    public void Step(float learningRate, DeviceArray gradientScale = default)
    {
        List<Kernel.Slot> slots = [];
        _stepped.Clear();
        foreach (Entry entry in _entries)
        {
            if (!entry.Parameter.HasGradient)
                continue;
            entry.First ??= Zeros(entry.Parameter);
            entry.Second ??= Zeros(entry.Parameter);
            entry.Step++;
            _stepped.Add(entry);
            slots.Add(new Kernel.Slot(entry.Parameter.Data, entry.Parameter.Gradient, entry.First.Data, entry.Second.Data, entry.Step,
                learningRate * entry.RateFactor, entry.WeightDecay, entry.Parameter.OperandCopy));
            entry.Parameter.MarkWrittenWithCopy();
        }
        Kernel.Step(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(slots),
            new Kernel.Settings(beta1, beta2, epsilon, gradientScale));
    }

    /// <summary>Counts the last step as not taken: its factor was 0.</summary>
    public void TakeBack()
    {
        foreach (Entry entry in _stepped)
            entry.Step--;
        _stepped.Clear();
    }

    /// <summary>Clears the gradient of every parameter; no memory is touched.</summary>
    public void ClearGradients()
    {
        foreach (Entry entry in _entries)
            entry.Parameter.ClearGradient();
    }

    /// <summary>Sets one parameter's state as a checkpoint kept it.</summary>
    /// <param name="name">The parameter's name.</param>
    /// <param name="step">Steps taken, at least one.</param>
    /// <param name="first">Running mean of the gradient.</param>
    /// <param name="second">Running mean of its square.</param>
    /// <exception cref="ArgumentException">No such parameter, or one of another size.</exception>
    public void Restore(string name, int step, ReadOnlySpan<float> first, ReadOnlySpan<float> second)
    {
        if (!_byName.TryGetValue(name, out Entry? entry))
            throw new ArgumentException($"the optimiser has no parameter called {name}", nameof(name));
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        long count = entry.Parameter.Shape.Count;
        if (first.Length != count || second.Length != count)
            throw new ArgumentException(
                $"moments of {first.Length} and {second.Length} elements for {name} {entry.Parameter.Shape}", nameof(first));
        entry.Step = step;
        entry.First ??= new Tensor(entry.Parameter.Device, entry.Parameter.Shape);
        entry.Second ??= new Tensor(entry.Parameter.Device, entry.Parameter.Shape);
        Write(first, entry.First);
        Write(second, entry.Second);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Entry entry in _entries)
        {
            entry.First?.Dispose();
            entry.Second?.Dispose();
        }
        _entries.Clear();
        _byName.Clear();
        _stepped.Clear();
    }

    private static Tensor Zeros(Tensor like)
    {
        var zeros = new Tensor(like.Device, like.Shape);
        like.Device.Clear(zeros.Data);
        return zeros;
    }

    private static void Write(ReadOnlySpan<float> values, Tensor target) =>
        target.Device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values), target.Data);
}
