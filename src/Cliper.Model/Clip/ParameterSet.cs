using Cliper.Autograd;

namespace Cliper.Model.Clip;

/// <summary>Named tensors of a model, in the order of the model; owns them.</summary>
public sealed class ParameterSet : IDisposable
{
    private readonly Dictionary<string, Tensor> _tensors = [];
    private readonly List<string> _names = [];
    private readonly HashSet<string> _buffers = [];

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

    /// <summary>Name and tensor of all that can be trained, in order: buffers are left out.</summary>
    public IEnumerable<(string Name, Tensor Tensor)> Trainable() =>
        StartingWith().Where(parameter => !_buffers.Contains(parameter.Name));

    /// <summary>Declares tensors as state without a gradient: they are saved with the others and never
    /// trained.</summary>
    /// <exception cref="KeyNotFoundException">A name is none of the set.</exception>
    public void MarkBuffers(IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            this[name].RequiresGrad = false;
            _buffers.Add(name);
        }
    }

    /// <summary>
    /// Lets exactly the parameters that <paramref name="selected"/> picks be trained, buffers excepted, and freezes
    /// the others, whose gradients are freed.
    /// </summary>
    public void Train(Func<string, bool> selected)
    {
        foreach ((string name, Tensor tensor) in StartingWith())
        {
            tensor.RequiresGrad = !_buffers.Contains(name) && selected(name);
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
