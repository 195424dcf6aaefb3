using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;

namespace Cliper.Model.Inference;

/// <summary>
/// Keeps what runs of a comparison compute alike, above all the features of a frozen image tower, so that it is
/// computed once. Entries are found by the content of what they were made of: other weights, another file, another crop
/// or other frames are another entry. A split is always encoded whole and in the same batches, so that its features are
/// the same bits for whoever asks first.
/// </summary>
/// <param name="device">Device of the models.</param>
internal sealed class SharedWork(Device device)
{
    private readonly Dictionary<string, object> _results = [];

    /// <summary>Device of the models.</summary>
    public Device Device => device;

    /// <summary>How many results are kept.</summary>
    public int Count => _results.Count;

    /// <summary>The features of all samples of a split, computed where they are not known.</summary>
    /// <param name="model">The model.</param>
    /// <param name="loader">The split, unshuffled and without augmentation.</param>
    /// <param name="progress">Told, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    /// <exception cref="InputException">No image can be read, or one where that is an error.</exception>
    public FeatureTable Features(CliperModel model, BatchLoader loader, Action<double>? progress,
        CancellationToken cancellation)
    {
        LoaderOptions options = loader.Options;
        return Once(
        [
            "features", $"{model.Clip.Config}", HashOf(model.Clip),
            $"{options.ImageSize} {string.Join(' ', options.Mean)} {string.Join(' ', options.Std)}",
            $"{options.Frames} {options.FramesPerSegment} {options.ShortClips} {options.Mirrored}",
            $"{options.BatchSize} {options.Strict}", .. PartsOf(loader.Split),
        ], () => SplitFeatures.Of(model, loader, progress, cancellation));
    }

    /// <summary>The result of some work, done where it is not known.</summary>
    /// <param name="parts">All that decides the result.</param>
    /// <param name="work">The work.</param>
    public T Once<T>(IEnumerable<string> parts, Func<T> work)
        where T : class
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (string part in parts)
            hash.AppendData(Encoding.UTF8.GetBytes(part + "\n"));
        string key = Convert.ToHexString(hash.GetHashAndReset());
        if (_results.TryGetValue(key, out object? known))
            return (T)known;
        T result = work();
        _results[key] = result;
        return result;
    }

    /// <summary>All that tells a split from others: its samples' names and labels, and the identities of their
    /// images.</summary>
    public static IEnumerable<string> PartsOf(DataSplit split) => split.Samples.Select(sample =>
        $"{sample.Name}|{sample.Label}|{string.Join('|', sample.Frames.Select(frame => frame.Identity))}")
        .Prepend(string.Join('|', split.Classes)).Prepend(split.Name);

    private static string HashOf(ClipModel clip)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach ((string name, Tensor tensor) in clip.Parameters.StartingWith()
            .Where(entry => ClipModel.IsVision(entry.Name)))
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"{name} {tensor.Shape}\n"));
            hash.AppendData(MemoryMarshal.AsBytes(tensor.ToArray().AsSpan()));
        }
        return Convert.ToHexString(hash.GetHashAndReset());
    }
}
