using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <summary>Makes a benchmark's arrays and frees them.</summary>
/// <param name="device">The device of the arrays.</param>
internal sealed class BenchmarkArrays(Device device) : IDisposable
{
    private readonly List<BenchmarkArray> _arrays = [];

    /// <summary>
    /// Random numbers in [-1, 1): zeros would make arithmetic look cheaper than it is. A million and then the same
    /// again, for drawing all would take longer than measuring.
    /// </summary>
    public static float[] Random(long count, int seed)
    {
        const int Period = 1_000_003;
        var random = new Random(seed);
        var values = new float[count];
        foreach (ref float value in values.AsSpan(0, (int)Math.Min(count, Period)))
            value = random.NextSingle() * 2 - 1;
        for (int start = Period; start < values.Length; start += Period)
            values.AsSpan(0, Math.Min(Period, values.Length - start)).CopyTo(values.AsSpan(start));
        return values;
    }

    /// <summary>Random numbers in fp32.</summary>
    public BenchmarkArray Floats(int rows, int columns = 1) => Drawn((long)rows * columns, ElementType.Float32);

    /// <summary>Random numbers as activations are stored.</summary>
    public BenchmarkArray Numbers(int rows, int columns) => Drawn((long)rows * columns, device.Activations);

    private BenchmarkArray Drawn(long count, ElementType type)
    {
        int seed = _arrays.Count;
        return Own(count * type.Size(), () =>
        {
            DeviceArray floats = device.From(Random(count, seed));
            if (type == ElementType.Float32)
                return floats;
            DeviceArray numbers = device.Allocate(count, type);
            Cast.Forward(floats, numbers);
            device.Free(floats);
            return numbers;
        });
    }

    /// <summary>The given values in int32.</summary>
    public BenchmarkArray Integers(IEnumerable<int> values)
    {
        int[] all = [.. values];
        return Own(sizeof(int) * all.LongLength, () => device.From(all));
    }

    /// <summary>Ones in fp32.</summary>
    public BenchmarkArray Ones(int count) =>
        Own(sizeof(float) * count, () => device.From(Enumerable.Repeat(1f, count).ToArray()));

    /// <summary>An array of <paramref name="bytes"/> that <paramref name="make"/> makes.</summary>
    public BenchmarkArray Own(long bytes, Func<DeviceArray> make)
    {
        var array = new BenchmarkArray(bytes, make);
        _arrays.Add(array);
        return array;
    }

    /// <summary>Begins a scope, whose end frees the arrays that were made in it.</summary>
    public Scope BeginScope() => new(this);

    /// <inheritdoc/>
    public void Dispose() => End(0);

    private void End(int start)
    {
        foreach (BenchmarkArray array in _arrays[start..])
            array.Free();
        _arrays.RemoveRange(start, _arrays.Count - start);
    }

    /// <summary>Frees the arrays that were made since.</summary>
    internal readonly struct Scope(BenchmarkArrays arrays) : IDisposable
    {
        private readonly int _start = arrays._arrays.Count;

        /// <inheritdoc/>
        public void Dispose() => arrays.End(_start);
    }
}
