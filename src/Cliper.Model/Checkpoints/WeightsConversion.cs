using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Model.Checkpoints;

/// <summary>Weights from any form to one safetensors file.</summary>
/// <param name="Architecture">The CLIP that was written; null where the names were kept and are none of a
/// CLIP's.</param>
/// <param name="Naming">Whose names were written; null for those of no CLIP.</param>
/// <param name="Tensors">Tensors that were written.</param>
/// <param name="Bytes">Size of the file.</param>
public sealed record WeightsConversion(string? Architecture, ClipNaming? Naming, int Tensors, long Bytes)
{
    /// <summary>
    /// Writes the CLIP that a file holds, heads, activation and normalization in the metadata. If no naming is asked
    /// for, a trained CLIPER stays one, without what only resuming needs, and a file that holds no CLIP is written as
    /// it is, integers unchanged.
    /// </summary>
    /// <param name="path">Any form that <see cref="TensorSource.Open"/> knows.</param>
    /// <param name="output">The file; replaced if it exists. It is there whole or not at all.</param>
    /// <param name="naming">Whose names; null for those it has.</param>
    /// <param name="type">F32, F16 or BF16 for floating-point numbers (the temperature stays F32).</param>
    /// <param name="prefix">Prefix of the names that are meant, where there are several CLIPs.</param>
    /// <param name="cancellation">Stops between tensors; nothing is then left.</param>
    /// <param name="stated">Facts on the CLIP that hold against those of the file; null for none.</param>
    /// <exception cref="InputException">The file cannot be read, is no CLIP though a naming is asked for, or has
    /// numbers that the type cannot hold.</exception>
    /// <exception cref="SettingsException">A stated text is no fact.</exception>
    /// <exception cref="IOException">The output cannot be written.</exception>
    public static WeightsConversion Convert(string path, string output, ClipNaming? naming, TensorType type,
        string? prefix, ClipStatement? stated = null, CancellationToken cancellation = default)
    {
        using TensorSource source = TensorSource.Open(path);
        bool isCheckpoint = ClipMetadata.IsOfCheckpoint(source);
        if (naming is null && prefix is null && isCheckpoint)
            return stated is null || stated == new ClipStatement() ? WriteCheckpoint(source, output, type, cancellation)
                : throw new SettingsException($"{source.Path} is a trained model, which states all facts itself");
        if (naming is null && ReasonOfNoClip(source, prefix, stated) is { } reason)
            return WriteAsItIs(source, output, type, prefix ?? "", cancellation) with
            {
                Warnings = ClipWeightsLoader.HasLandmark(source) ? [$"the names are kept: {reason}"] : [],
            };
        using ClipWeights weights = ClipWeightsLoader.Load(source, prefix, stated);
        var writer = new SafeTensorsWriter();
        var warnings = new List<string>(weights.Warnings);
        foreach ((string key, string value) in source.Metadata)
            if (!isCheckpoint || !Checkpoint.IsOfWholeModel(key))
                writer.Metadata[key] = value;
        if (isCheckpoint)
            warnings.Add("the CLIP alone is written: descriptors and class features have no names in a CLIP's naming");
        AddTokenizer(source, weights.Config.VocabularySize, writer.Metadata, warnings);
        ClipMetadata.Write(weights.Config, writer.Metadata, weights.Assumed);
        weights.AddTo(writer, naming ?? weights.Naming, type,
            (name, values) => Check(source, name, values, type, cancellation));
        return Written(writer, output, WeightsInspection.NameOf(weights.Config), naming ?? weights.Naming) with
        {
            Warnings = warnings,
        };
    }

    /// <summary>Facts that were assumed and parts that could not be kept, a sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    /// <summary>Why a file holds no CLIP; null where it holds one.</summary>
    private static string? ReasonOfNoClip(TensorSource source, string? prefix, ClipStatement? stated)
    {
        try
        {
            // The loaded weights keep nothing open but the source, which the caller closes.
            _ = ClipWeightsLoader.Load(source, prefix, stated);
            return null;
        }
        catch (InputException failure)
        {
            // Its names are kept; asking for a naming says what is missing.
            return failure.Message;
        }
    }

    /// <summary>Puts the tokenizer that lies beside the weights into their metadata, so that one file is
    /// enough.</summary>
    private static void AddTokenizer(TensorSource source, int tokens, IDictionary<string, string> metadata,
        List<string> warnings)
    {
        try
        {
            if (WeightsTokenizer.Find(source.Metadata, source.Path) is not { } vocabulary)
                return;
            if (vocabulary.Count != tokens)
                throw new InputException($"it has {vocabulary.Count} tokens and the model {tokens}");
            vocabulary.AddTo(metadata);
        }
        catch (Exception failure) when (failure is InputException or InvalidOperationException)
        {
            warnings.Add($"the tokenizer beside {source.Path} is not kept: {failure.Message}");
        }
    }

    private static WeightsConversion WriteCheckpoint(TensorSource source, string output, TensorType type,
        CancellationToken cancellation)
    {
        using var device = new CpuDevice();
        (CliperModel model, CheckpointInfo info) = Checkpoint.Load(source.Path, device);
        var warnings = new List<string>();
        using (model)
        {
            foreach ((string name, Autograd.Tensor tensor) in model.Clip.Parameters.StartingWith())
                Check(source, name, tensor.ToArray(), type, cancellation);
            Dictionary<string, string> more = source.Metadata.Where(entry => entry.Key != Checkpoint.StateKey)
                .ToDictionary();
            AddTokenizer(source, model.Clip.Config.VocabularySize, more, warnings);
            Checkpoint.Save(output, model, info, type, progress: null, more);
        }
        using TensorSource written = TensorSource.Open(output);
        return new WeightsConversion(WeightsInspection.NameOf(model.Clip.Config), ClipNaming.OpenAI,
            written.Tensors.Count,
            new FileInfo(output).Length)
        { Warnings = warnings };
    }

    private static WeightsConversion WriteAsItIs(TensorSource source, string output, TensorType type, string prefix,
        CancellationToken cancellation)
    {
        var writer = new SafeTensorsWriter();
        foreach ((string key, string value) in source.Metadata)
            writer.Metadata[key] = value;
        writer.Metadata["format"] = "pt";
        foreach (TensorEntry entry in source.Tensors.Values
            .Where(entry => entry.Name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            string name = entry.Name[prefix.Length..];
            if (name.Length == 0 || name == SafeTensors.MetadataKey)
                throw new InputException(
                    $"{source.Path}: tensor {ForeignText.Quote(entry.Name)} has no name that safetensors can hold")
                { Remedy = Remedy.ChooseOtherPrefix };
            if (!TensorSource.IsFloating(entry.Type))
            {
                writer.Add(entry with { Name = name }, stream => source.CopyTo(entry, stream));
                continue;
            }
            if (entry.Shape.Any(size => size > int.MaxValue) || entry.Bytes > Array.MaxLength)
                throw new InputException(
                    $"{source.Path}: tensor {ForeignText.Quote(entry.Name)} is {entry}, expected at most 2 GiB; "
                    + "split it");
            writer.Add(name, [.. entry.Shape.Select(size => (int)size)], () =>
            {
                float[] values = source.ReadFloats(entry.Name);
                Check(source, entry.Name, values, type, cancellation);
                return values;
            }, type);
        }
        if (writer.Count == 0)
            throw new InputException($"{source.Path}: no tensors begin with {ForeignText.Quote(prefix)}; "
                + "'cliper-gpu weights inspect' lists the names");
        return Written(writer, output, null, null);
    }

    private static WeightsConversion Written(SafeTensorsWriter writer, string output, string? architecture,
        ClipNaming? naming)
    {
        writer.Write(output);
        return new WeightsConversion(architecture, naming, writer.Count, new FileInfo(output).Length);
    }

    /// <summary>A finite number must not become infinite unnoticed.</summary>
    private static void Check(TensorSource source, string name, ReadOnlySpan<float> values, TensorType type,
        CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (type != TensorType.F16 || NormalizedConvolution.IsStatistic(name))
            return;
        int count = HalfRange.CountBeyond(values);
        if (count > 0)
            throw new InputException(
                $"{source.Path}: tensor {ForeignText.Quote(name)}: {count} of {values.Length} numbers are beyond "
                + "the range of fp16; convert to bf16 or f32");
    }
}
