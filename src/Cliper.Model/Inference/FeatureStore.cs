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
/// Keeps the features of whole splits, so that every part of a run, and every run of a comparison, that works on the
/// same frozen image tower and the same images computes them once. Entries are found by the content of what they were
/// made of: other weights, another file, another crop or other frames are another entry. A split is always encoded
/// whole and in the same batches, so that its features are the same bits for whoever asks first.
/// </summary>
/// <param name="device">Device of the models whose features it keeps.</param>
internal sealed class FeatureStore(Device device)
{
    private readonly Dictionary<string, FeatureTable> _tables = [];

    /// <summary>Device of the models.</summary>
    public Device Device => device;

    /// <summary>How often features were computed.</summary>
    public int Computed { get; private set; }

    /// <summary>The features of all samples of a split, computed where they are not known.</summary>
    /// <param name="model">The model.</param>
    /// <param name="loader">The split, unshuffled and without augmentation.</param>
    /// <param name="progress">Told, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    /// <exception cref="InputException">No image can be read, or one where that is an error.</exception>
    public FeatureTable Of(CliperModel model, BatchLoader loader, Action<double>? progress,
        CancellationToken cancellation)
    {
        string key = KeyOf(model.Clip, loader);
        if (_tables.TryGetValue(key, out FeatureTable? known))
            return known;
        FeatureTable table = SplitFeatures.Of(model, loader, progress, cancellation);
        Computed++;
        return _tables[key] = table;
    }

    private static string KeyOf(ClipModel clip, BatchLoader loader)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        LoaderOptions options = loader.Options;
        Append($"{clip.Config}");
        Append($"{options.ImageSize} {string.Join(' ', options.Mean)} {string.Join(' ', options.Std)}");
        Append($"{options.Frames} {options.FramesPerSegment} {options.ShortClips} {options.Mirrored}");
        Append($"{options.BatchSize} {options.Strict}");
        foreach ((string name, Tensor tensor) in clip.Parameters.StartingWith()
            .Where(entry => ClipModel.IsVision(entry.Name)))
        {
            Append($"{name} {tensor.Shape}");
            hash.AppendData(MemoryMarshal.AsBytes(tensor.ToArray().AsSpan()));
        }
        foreach (Sample sample in loader.Split.Samples)
            Append(string.Join('|', sample.Frames.Select(frame => frame.Identity)));
        return Convert.ToHexString(hash.GetHashAndReset());

        void Append(string text) => hash.AppendData(Encoding.UTF8.GetBytes(text + "\n"));
    }
}
