using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Loading;
using Cliper.Model.Samples;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Inference;

/// <summary>Summary of a file that <see cref="Embedder.Write"/> wrote.</summary>
/// <param name="Images">Paths of the images, in the order of the rows.</param>
/// <param name="Texts">The texts, in the order of the rows.</param>
/// <param name="Dimension">Width of a feature.</param>
/// <param name="Skipped">Images left out, and why.</param>
public sealed record EmbeddingSummary(IReadOnlyList<string> Images, IReadOnlyList<string> Texts, int Dimension,
    IReadOnlyDictionary<string, string> Skipped);

/// <summary>A CLIP's features of images and texts, as tensors in a file.</summary>
/// <param name="device">Where to compute.</param>
/// <param name="weightsPath">A .safetensors file, or a Hugging Face folder.</param>
/// <param name="stated">Facts on the weights that hold against those of the file; null for none.</param>
public sealed class Embedder(Device device, string weightsPath, ClipStatement? stated = null) : IDisposable
{
    private const int TextsAtOnce = 64;

    private readonly ClipWeights _weights = ClipWeights.Load(weightsPath, stated: stated);

    /// <summary>Facts that were assumed of weights which do not state them, a sentence each.</summary>
    public IReadOnlyList<string> Warnings => _weights.Warnings;

    /// <summary>
    /// Writes a safetensors file: image_features [N, D] and text_features [P, D], fp32, not normalized, and
    /// logits_per_image [N, P] where there are both; paths and texts as JSON lists in the metadata ("images", "texts").
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="pictures">Images, preprocessed by CLIP's test transform at the model's size; may be
    /// empty.</param>
    /// <param name="texts">Texts; may be empty.</param>
    /// <param name="textsName">Where they come from, a text a line, for errors.</param>
    /// <param name="tokenizerPath">Tokenizer file or folder; null to look beside the weights.</param>
    /// <param name="strict">Whether an unreadable image is an error; else it is left out.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="InputException">Weights, tokenizer, a text or every image cannot be used.</exception>
    public EmbeddingSummary Write(string path, IReadOnlyList<Sample> pictures, IReadOnlyList<string> texts,
        string textsName,
        string? tokenizerPath, bool strict, CancellationToken cancellation)
    {
        // Steps that can fail in a moment come before minutes of work.
        List<int[]> ids = texts.Count == 0 ? []
            : Encode(texts, textsName, WeightsTokenizer.For(_weights, weightsPath, tokenizerPath));
        using var clip = new ClipModel(device, _weights);
        if (pictures.Count > 0 && ids.Count > 0)
            _ = clip.Temperature;
        using var tape = new Tape(device, recording: false);
        var writer = new SafeTensorsWriter();
        var names = new List<string>();
        var skipped = new Dictionary<string, string>();
        Tensor? imageFeatures = null, textFeatures = null;
        if (pictures.Count > 0)
            imageFeatures = Add("image_features", Images(clip, pictures, strict, names, skipped, cancellation),
                names.Count);
        if (ids.Count > 0)
            textFeatures = Add("text_features", Texts(clip, ids, cancellation), ids.Count);
        if (imageFeatures is not null && textFeatures is not null)
            writer.Add("logits_per_image", [names.Count, ids.Count],
                clip.LogitsPerImage(tape, imageFeatures, textFeatures).ToArray());
        writer.Metadata["images"] = JsonSerializer.Serialize(names, TextListJson.Default.IEnumerableString);
        writer.Metadata["texts"] = JsonSerializer.Serialize(texts, TextListJson.Default.IEnumerableString);
        writer.Write(path);
        return new EmbeddingSummary(names, texts, clip.Config.EmbedSize, skipped);

        Tensor Add(string name, List<float> values, int rows)
        {
            float[] all = [.. values];
            if (all.Any(value => !float.IsFinite(value)))
                throw new InputException($"{_weights.SourcePath}: the {name.Replace('_', ' ')} are not all finite "
                    + "numbers: the weights are damaged; use another file");
            writer.Add(name, [rows, clip.Config.EmbedSize], all);
            return tape.Own(Tensor.From(device, all, new Shape(rows, clip.Config.EmbedSize)));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _weights.Dispose();

    private List<int[]> Encode(IReadOnlyList<string> texts, string name, ClipTokenizer tokenizer)
    {
        var ids = new List<int[]>();
        foreach (string text in texts)
            try
            {
                ids.Add(tokenizer.Encode(text, _weights.Config.ContextLength));
            }
            catch (InputException failure)
            {
                throw new InputException($"{name}:{ids.Count + 1}: {failure.Message}", failure);
            }
        return ids;
    }

    private List<float> Images(ClipModel clip, IReadOnlyList<Sample> pictures, bool strict, List<string> names,
        Dictionary<string, string> skipped, CancellationToken cancellation)
    {
        var features = new List<float>();
        using BatchLoader loader =
            SampleReader.Open(new DataSplit("given", ["any"], pictures), clip, frames: 1, strict);
        foreach (Batch batch in loader.Epoch(0, cancellation: cancellation))
        {
            using Batch current = batch;
            using var tape = new Tape(device, recording: false) { Cancellation = cancellation };
            features.AddRange(clip.Vision.Forward(tape, batch.TakePixels(tape)).ToArray());
            names.AddRange(batch.Indices.Take(batch.Count).Select(index => pictures[index].Name));
        }
        foreach ((string name, string reason) in loader.Skipped)
            skipped[name] = reason;
        return features;
    }

    private List<float> Texts(ClipModel clip, IReadOnlyList<int[]> ids, CancellationToken cancellation)
    {
        var features = new List<float>();
        foreach (int[][] chunk in ids.Chunk(TextsAtOnce))
        {
            cancellation.ThrowIfCancellationRequested();
            using var tape = new Tape(device, recording: false) { Cancellation = cancellation };
            features.AddRange(clip.Text.Forward(tape, chunk).ToArray());
        }
        return features;
    }
}

/// <summary>The generated code for the JSON of a list of texts.</summary>
[JsonSerializable(typeof(IEnumerable<string>))]
internal sealed partial class TextListJson : JsonSerializerContext;
