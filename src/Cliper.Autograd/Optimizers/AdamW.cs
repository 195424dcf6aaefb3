using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.AdamWUpdate;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// Adam with decoupled weight decay (<see cref="Kernel"/>) over groups of named parameters. A parameter without a
/// gradient in a step is left as it is, decay included; each counts its own steps, as PyTorch does. Moments are made
/// when a parameter's first gradient comes, so what is frozen costs nothing. Dispose it to free the moments; the
/// parameters are their owner's.
/// </summary>
/// <param name="beta1">Decay of the first moment.</param>
/// <param name="beta2">Decay of the second moment.</param>
/// <param name="epsilon">Added to the root of the second moment; CLIPER's recipes use 1e-4.</param>
/// <param name="isHalf">Tells by its name whether a parameter is rounded to fp16 after each operation, with its
/// moments, as where a training keeps them in fp16 (<see cref="Kernel.Settings.RoundsToHalf"/>); null for none.</param>
public sealed class AdamW(double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8,
    Func<string, bool>? isHalf = null) : IOptimizer
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

    /// <inheritdoc/>
    public IReadOnlyList<string> StateNames => ["first", "second"];

    /// <inheritdoc/>
    public IEnumerable<Tensor> Parameters => _entries.Select(entry => entry.Parameter);

    /// <summary>First and second moment of every parameter that has been stepped.</summary>
    public IEnumerable<OptimizerState> State => _entries.Where(entry => entry.Step > 0)
        .Select(entry => new OptimizerState(entry.Name, entry.Step, [entry.First!, entry.Second!]));

    /// <inheritdoc/>
    /// <remarks>The decay is decoupled: a step takes learning rate times decay off the parameter.</remarks>
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
        List<Kernel.Slot> slots = [], halves = [];
        _stepped.Clear();
        foreach (Entry entry in _entries)
        {
            if (!entry.Parameter.HasGradient)
                continue;
            entry.First ??= Zeros(entry.Parameter);
            entry.Second ??= Zeros(entry.Parameter);
            entry.Step++;
            _stepped.Add(entry);
            (isHalf?.Invoke(entry.Name) == true ? halves : slots).Add(new Kernel.Slot(entry.Parameter.Data,
                entry.Parameter.Gradient, entry.First.Data, entry.Second.Data, entry.Step,
                learningRate * entry.RateFactor, entry.WeightDecay, entry.Parameter.OperandCopy));
            entry.Parameter.MarkWrittenWithCopy();
        }
        var settings = new Kernel.Settings(beta1, beta2, epsilon, gradientScale);
        Kernel.Step(CollectionsMarshal.AsSpan(slots), settings);
        Kernel.Step(CollectionsMarshal.AsSpan(halves), settings with { RoundsToHalf = true });
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
        long count = entry.Parameter.Shape.Count;
        (float[] first, float[] second) = (values[0], values[1]);
        if (first.Length != count || second.Length != count)
            throw new ArgumentException(
                $"moments of {first.Length} and {second.Length} elements for {name} {entry.Parameter.Shape}",
                    nameof(values));
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
        target.Device.Upload(MemoryMarshal.AsBytes(values), target.Data);
}
