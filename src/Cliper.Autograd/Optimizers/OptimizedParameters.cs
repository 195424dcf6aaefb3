using System.Runtime.InteropServices;

namespace Cliper.Autograd.Optimizers;

/// <summary>One parameter of an optimizer, and its state.</summary>
internal sealed class OptimizedParameter(string name, Tensor tensor, float weightDecay, float rateFactor)
{
    public string Name { get; } = name;

    public Tensor Tensor { get; } = tensor;

    public float WeightDecay { get; } = weightDecay;

    public float RateFactor { get; } = rateFactor;

    public int Step { get; set; }

    /// <summary>Tensors of the parameter's shape; empty before its first step.</summary>
    public Tensor[] State { get; set; } = [];
}

/// <summary>
/// The named parameters of an optimizer with the tensors that it keeps of each. These are made when a parameter's first
/// gradient comes, so what is frozen costs nothing.
/// </summary>
/// <param name="stateNames">Names of the tensors.</param>
internal sealed class OptimizedParameters(params string[] stateNames) : IDisposable
{
    private readonly List<OptimizedParameter> _all = [];
    private readonly Dictionary<string, OptimizedParameter> _byName = [];
    private readonly List<OptimizedParameter> _stepped = [];

    public IReadOnlyList<string> StateNames => stateNames;

    public IEnumerable<Tensor> Tensors => _all.Select(parameter => parameter.Tensor);

    public IEnumerable<OptimizerState> State => _all.Where(parameter => parameter.Step > 0)
        .Select(parameter => new OptimizerState(parameter.Name, parameter.Step, parameter.State));

    /// <inheritdoc cref="IOptimizer.AddGroup"/>
    public void Add(IEnumerable<(string Name, Tensor Parameter)> parameters, float weightDecay, float rateFactor)
    {
        foreach ((string name, Tensor tensor) in parameters)
        {
            var parameter = new OptimizedParameter(name, tensor, weightDecay, rateFactor);
            if (!_byName.TryAdd(name, parameter))
                throw new ArgumentException($"two parameters called {name}", nameof(parameters));
            _all.Add(parameter);
        }
    }

    /// <summary>Begins a step: gives the parameters that have a gradient, each counted on and with its state.</summary>
    public IReadOnlyList<OptimizedParameter> BeginStep()
    {
        _stepped.Clear();
        foreach (OptimizedParameter parameter in _all)
        {
            if (!parameter.Tensor.HasGradient)
                continue;
            if (parameter.State.Length == 0)
                foreach (Tensor zeros in parameter.State = Like(parameter.Tensor))
                    zeros.Device.Clear(zeros.Data);
            parameter.Step++;
            _stepped.Add(parameter);
        }
        return _stepped;
    }

    /// <inheritdoc cref="IOptimizer.TakeBack"/>
    public void TakeBack()
    {
        foreach (OptimizedParameter parameter in _stepped)
            parameter.Step--;
        _stepped.Clear();
    }

    /// <inheritdoc cref="IOptimizer.ClearGradients"/>
    public void ClearGradients()
    {
        foreach (OptimizedParameter parameter in _all)
            parameter.Tensor.ClearGradient();
    }

    /// <inheritdoc cref="IOptimizer.Restore"/>
    public void Restore(string name, int step, IReadOnlyList<float[]> values)
    {
        if (!_byName.TryGetValue(name, out OptimizedParameter? parameter))
            throw new ArgumentException($"the optimizer has no parameter called {name}", nameof(name));
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        for (int i = 0; i < stateNames.Length; i++)
            if (values[i].Length != parameter.Tensor.Shape.Count)
                throw new ArgumentException($"the state '{stateNames[i]}' of {name} {parameter.Tensor.Shape} has "
                    + $"{values[i].Length} elements", nameof(values));
        parameter.Step = step;
        if (parameter.State.Length == 0)
            parameter.State = Like(parameter.Tensor);
        for (int i = 0; i < stateNames.Length; i++)
            parameter.Tensor.Device.Upload(MemoryMarshal.AsBytes(values[i].AsSpan()), parameter.State[i].Data);
    }

    public void Dispose()
    {
        foreach (Tensor tensor in _all.SelectMany(parameter => parameter.State))
            tensor.Dispose();
        _all.Clear();
        _byName.Clear();
        _stepped.Clear();
    }

    private Tensor[] Like(Tensor tensor) => [.. stateNames.Select(_ => new Tensor(tensor.Device, tensor.Shape))];
}
