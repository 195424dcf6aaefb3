using System.Collections.Concurrent;
using Cliper.Autograd;
using Cliper.Kernels.Collectives;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Images;

namespace Cliper.Model.Loading;

/// <summary>A batch of samples. Disposing it returns its memory to the pool of the loader.</summary>
public sealed class Batch : IDisposable
{
    private readonly ConcurrentBag<float[]> _pool;
    private readonly RawImages? _raw;
    private float[]? _pixels;
    private Tensor? _uploaded;

    internal Batch(int number, LoaderOptions options, float[] pixels, RawImages? raw, ConcurrentBag<float[]> pool,
        int[] labels, int[] indices)
    {
        (_pool, _raw, _pixels) = (pool, raw, pixels);
        (Number, Count, Frames, ImageSize, Labels, Indices) = (number, labels.Length, options.ImagesPerSample,
            options.ImageSize, labels, indices);
    }

    /// <summary>A batch of features that were computed before, one a sample, without pixels.</summary>
    internal Batch(int number, int[] labels, int[] indices, float[] features)
    {
        _pool = [];
        (Number, Count, Frames, Labels, Indices, Features) = (number, labels.Length, 1, labels, indices, features);
    }

    /// <summary>Labels and indices of all ranks' rows of a batch, in the order of the batch; no pixels.</summary>
    /// <param name="ranks">The ranks, each with its own rows of the batch.</param>
    /// <param name="counts">Samples of each rank.</param>
    internal Batch Gathered(RankGroup ranks, out int[] counts)
    {
        (int Label, int Index)[] all = ranks.Gather<(int, int)>([.. Labels.Zip(Indices)], out counts);
        return new Batch(Number, [.. all.Select(sample => sample.Label)], [.. all.Select(sample => sample.Index)], []);
    }

    /// <summary>Position in its epoch, from 0.</summary>
    public int Number { get; }

    /// <summary>Samples.</summary>
    public int Count { get; }

    /// <summary>Frames of each sample.</summary>
    public int Frames { get; }

    /// <summary>Side of the images.</summary>
    public int ImageSize { get; }

    /// <summary>Normalized pixels, [Count x Frames, 3, ImageSize, ImageSize].</summary>
    /// <exception cref="ObjectDisposedException">The batch was disposed.</exception>
    /// <exception cref="InvalidOperationException">The batch is for a GPU, which makes them
    /// (<see cref="LoaderOptions.Device"/>).</exception>
    public ReadOnlySpan<float> Pixels
    {
        get
        {
            ObjectDisposedException.ThrowIf(_pixels == null, this);
            if (_raw is not null)
                throw new InvalidOperationException("these pictures are made on the device");
            return _pixels.AsSpan(0, Count * Frames * 3 * ImageSize * ImageSize);
        }
    }

    /// <summary>Features of the samples, [Count, D]; null where there are pixels instead.</summary>
    internal float[]? Features { get; }

    /// <summary>Label of each sample, [Count].</summary>
    public int[] Labels { get; }

    /// <summary>Index of each sample in its split, [Count].</summary>
    public int[] Indices { get; }

    /// <summary>Begins to upload the images to a GPU, which may still be computing. The CPU needs no upload.</summary>
    internal void BeginUpload(Device device)
    {
        if (device is not CpuDevice && Features is null)
            _uploaded = TakePixels(device);
    }

    /// <summary>
    /// The image tower's input on <paramref name="device"/>: a GPU makes patches of the images, [Count x Frames,
    /// patches, 3 p p], another device gets the pixels as they are. The caller disposes it; <see cref="BeginUpload"/>
    /// may have done it.
    /// </summary>
    internal Tensor TakePixels(Device device)
    {
        Tensor pixels = _uploaded ?? _raw?.Render(device)
            ?? Tensor.From(device, Pixels, new Shape(Count * Frames, 3, ImageSize, ImageSize));
        _uploaded = null;
        return pixels;
    }

    /// <summary>The image tower's input, as an input of a step; see <see cref="TakePixels(Device)"/>.</summary>
    internal Tensor TakePixels(Tape tape) => tape.Own(TakePixels(tape.Device));

    /// <inheritdoc/>
    public void Dispose()
    {
        _uploaded?.Dispose();
        _uploaded = null;
        if (_pixels != null && _raw is null)
            _pool.Add(_pixels);
        _pixels = null;
    }
}
