using Cliper.Autograd;

namespace Cliper.Model.Clip;

/// <summary>Named tensors of a model, in the order of the model; owns them.</summary>
public sealed class ParameterSet : IDisposable
{
    private readonly Dictionary<string, Tensor> _tensors = [];
    private readonly List<string> _names = [];

    /// <summary>Names, in order.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>The tensor of a name.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public Tensor this[string name] => _tensors.TryGetValue(name, out Tensor? tensor)
        ? tensor
        : throw new KeyNotFoundException($"the model has no parameter '{name}'");

    /// <summary>Adds a tensor and takes it over.</summary>
    public Tensor Add(string name, Tensor tensor)
    {
        _tensors.Add(name, tensor);
        _names.Add(name);
        return tensor;
    }

    /// <summary>Name and tensor of all whose name begins with <paramref name="prefix"/>, in order.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> StartingWith(string prefix = "") =>
        _names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name => (name, _tensors[name]));

    /// <summary>
    /// Lets exactly the parameters that <paramref name="selected"/> picks be trained and freezes the others, whose
    /// gradients are freed.
    /// </summary>
    public void Train(Func<string, bool> selected)
    {
        foreach ((string name, Tensor tensor) in StartingWith())
        {
            tensor.RequiresGrad = selected(name);
            if (!tensor.RequiresGrad)
                tensor.FreeGradient();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor tensor in _tensors.Values)
            tensor.Dispose();
    }
}
