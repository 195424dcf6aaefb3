using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// Exponential moving average of weights over the steps of a training (EMA; Polyak and Juditsky 1992): after step t,
/// counted from 0, average = d average + (1 - d) weight with d = min(decay, (1 + t) / (10 + t)), so that the first
/// steps, whose weights are still far off, are forgotten. The average often generalizes better than any single step's
/// weights. Dispose it to free the averages; the weights are their owner's.
/// </summary>
public sealed class WeightAverage : IDisposable
{
    private readonly List<(string Name, Tensor Weight, Tensor Average)> _entries = [];
    private readonly float _decay;

    /// <summary>Averages that begin with the present weights.</summary>
    /// <param name="weights">Names, each used once, and fp32 tensors; state without a gradient may be among
    /// them.</param>
    /// <param name="decay">Decay of the average a step, in [0, 1).</param>
    /// <exception cref="ArgumentException">A name stands twice.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The decay is out of range.</exception>
    public WeightAverage(IEnumerable<(string Name, Tensor Tensor)> weights, float decay)
    {
        if (!(decay is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(decay), decay, "expected a decay in [0, 1)");
        _decay = decay;
        List<(string Name, Tensor Tensor)> all = [.. weights];
        var names = new HashSet<string>();
        if (all.FirstOrDefault(entry => !names.Add(entry.Name)).Name is { } twice)
            throw new ArgumentException($"two weights called {twice}", nameof(weights));
        foreach ((string name, Tensor weight) in all)
        {
            var average = new Tensor(weight.Device, weight.Shape);
            weight.Device.Copy(weight.Data, average.Data);
            _entries.Add((name, weight, average));
        }
    }

    /// <summary>Steps averaged so far.</summary>
    public int Steps { get; private set; }

    /// <summary>Name and average of every weight, in the order in which they were given. Not copies.</summary>
    public IEnumerable<(string Name, Tensor Average)> State => _entries.Select(entry => (entry.Name, entry.Average));

    /// <summary>Moves the averages towards the weights that a step has just written.</summary>
    public void Update()
    {
        float decay = Math.Min(_decay, (1f + Steps) / (10f + Steps));
        foreach ((_, Tensor weight, Tensor average) in _entries)
        {
            Scale.Forward(average.Data, decay, average.Data);
            Scale.Forward(weight.Data, 1 - decay, average.Data, accumulate: true);
        }
        Steps++;
    }

    /// <summary>
    /// Exchanges averages and weights: the model works with the averages until the next call. <see cref="Update"/>
    /// must not be called in between.
    /// </summary>
    public void Exchange()
    {
        foreach ((_, Tensor weight, Tensor average) in _entries)
        {
            Device device = weight.Device;
            DeviceArray kept = device.Allocate(weight.Shape.Count);
            device.Copy(weight.Data, kept);
            device.Copy(average.Data, weight.Data);
            device.Copy(kept, average.Data);
            device.Free(kept);
            weight.MarkWritten();
        }
    }

    /// <summary>Sets the averages as a checkpoint kept them.</summary>
    /// <param name="steps">Steps averaged, at least 0.</param>
    /// <param name="read">Gives the elements of an average by its name.</param>
    /// <exception cref="ArgumentException">An average has another size than its weight.</exception>
    public void Restore(int steps, Func<string, float[]> read)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(steps);
        foreach ((string name, Tensor weight, Tensor average) in _entries)
        {
            float[] values = read(name);
            if (values.Length != weight.Shape.Count)
                throw new ArgumentException($"average of {values.Length} elements for {name} {weight.Shape}",
                    nameof(read));
            average.Device.Upload(MemoryMarshal.AsBytes(values.AsSpan()), average.Data);
        }
        Steps = steps;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, _, Tensor average) in _entries)
            average.Dispose();
        _entries.Clear();
    }
}
