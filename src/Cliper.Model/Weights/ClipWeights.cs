using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>
/// A CLIP's tensors in single precision under OpenAI's names, wherever they come from: a file of either naming and of
/// any floating-point type, arrays, or the random generator. Each is read and converted when asked for.
/// </summary>
public sealed class ClipWeights : IParameterSource, IDisposable
{
    private readonly Dictionary<string, (Shape Shape, Action<Span<float>> Read)> _tensors = [];
    private readonly List<string> _names = [];
    private readonly TensorSource? _source;

    /// <summary>Weights whose tensors <paramref name="reader"/> gives, which is asked for each name of the
    /// model.</summary>
    internal ClipWeights(ClipConfig config, ClipNaming naming, Func<string, Action<Span<float>>> reader,
        TensorSource? source = null)
    {
        Config = config;
        Naming = naming;
        _source = source;
        foreach ((string name, Shape shape) in ClipTensors.List(config))
        {
            _names.Add(name);
            _tensors.Add(name, (shape, reader(name)));
        }
    }

    /// <summary>The model's shape.</summary>
    public ClipConfig Config { get; }

    /// <summary>The naming of the file they come from; OpenAI's for others.</summary>
    public ClipNaming Naming { get; }

    /// <summary>Names of all tensors, in the order of the computation.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>The metadata of the file they come from; empty for others.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _source?.Metadata ?? new Dictionary<string, string>();

    /// <summary>Facts that nothing states and that are assumed, and places that are not followed, a sentence
    /// each.</summary>
    public IReadOnlyList<string> Warnings { get; internal init; } = [];

    /// <summary>Keys of the metadata that are not written because they were only assumed.</summary>
    internal IReadOnlySet<string>? Assumed { get; init; }

    /// <summary>The file; null for weights that are in memory.</summary>
    public string? SourcePath => _source?.Path;

    /// <summary>
    /// Opens weights in any form that <see cref="TensorSource.Open"/> knows, the CLIP in a checkpoint of a training
    /// included ("state_dict.module.visual.conv1.weight"), this program's too. The model's shape follows from the
    /// tensors' shapes; heads, activation, epsilon and normalization from what is stated, from config.json and
    /// preprocessor_config.json (Hugging Face's) or open_clip_config.json beside the file, from the file's metadata,
    /// from the modules of a TorchScript archive, and heads from the published shapes. What is then not known is
    /// assumed, and is among <see cref="Warnings"/>.
    /// </summary>
    /// <param name="path">A file, a folder, or a model's name in the local cache.</param>
    /// <param name="prefix">Prefix of the names of the model that is meant; null where there is but one.</param>
    /// <param name="stated">Facts that hold against those of the file; null for none.</param>
    /// <exception cref="InputException">Something is missing, damaged or contradicts itself. Missing, unexpected and
    /// misshapen tensors are counted, and the first of them named.</exception>
    /// <exception cref="SettingsException">A stated text is no fact.</exception>
    public static ClipWeights Load(string path, string? prefix = null, ClipStatement? stated = null)
    {
        TensorSource source = TensorSource.Open(path);
        try
        {
            return ClipWeightsLoader.Load(source, prefix, stated);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Weights from arrays, which are not copied.</summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="values">The elements of every tensor of the model, by OpenAI's name.</param>
    /// <exception cref="ArgumentException">A tensor is missing, is not the model's, or has another number of
    /// elements.</exception>
    public static ClipWeights From(ClipConfig config, IReadOnlyDictionary<string, float[]> values)
    {
        var weights = new ClipWeights(config, ClipNaming.OpenAI, name => values.TryGetValue(name, out float[]? array)
            ? target => array.CopyTo(target)
            : throw new ArgumentException($"no values for {name}", nameof(values)));
        foreach ((string name, float[] array) in values)
            if (!weights._tensors.TryGetValue(name, out (Shape Shape, Action<Span<float>> Read) tensor)
                || tensor.Shape.Count != array.Length)
                throw new ArgumentException($"{name}: {array.Length} values are not the model's", nameof(values));
        return weights;
    }

    /// <summary>Weights from the tensors of a model, as they are now.</summary>
    internal static ClipWeights From(ClipModel clip) => From(clip.Config, clip.Parameters.StartingWith().ToDictionary(
        parameter => parameter.Name,
        parameter => ConvolutionLayout.ToFile(clip.Config, parameter.Name, parameter.Tensor).Values));

    /// <summary>
    /// Weights to train from nothing, drawn as OpenAI's initialize_parameters does: normal, with deviations by width
    /// and depth; LayerNorms the identity, biases zero, temperature 1 / 0.07. The image tower's blocks are drawn like
    /// the text tower's (OpenAI's code leaves them to PyTorch's defaults), conv1 with the variance of PyTorch's
    /// default. So are a ResNet's convolutions; its projections have deviation 1 / sqrt(channels), and every block
    /// begins as its shortcut, for its last BatchNorm has the weight zero.
    /// </summary>
    /// <param name="config">The model's shape.</param>
    /// <param name="seed">The same seed gives the same weights.</param>
    public static ClipWeights Random(ClipConfig config, ulong seed)
    {
        uint stream = 0;
        var shapes = ClipTensors.List(config).ToDictionary(tensor => tensor.Name, tensor => tensor.Shape);
        return new ClipWeights(config, ClipNaming.OpenAI, name =>
        {
            uint own = stream++;
            return target => ClipInitialization.Fill(target, name, shapes[name], config, seed, own);
        });
    }

    /// <summary>The sizes of a tensor's axes.</summary>
    /// <exception cref="KeyNotFoundException">CLIP has no such tensor.</exception>
    public Shape ShapeOf(string name) => Tensor(name).Shape;

    /// <summary>The elements of a tensor, row-major, in an array of their own.</summary>
    /// <exception cref="KeyNotFoundException">CLIP has no such tensor.</exception>
    public float[] Values(string name)
    {
        var values = GC.AllocateUninitializedArray<float>(checked((int)ShapeOf(name).Count));
        Tensor(name).Read(values);
        return values;
    }

    /// <summary>
    /// A tensor on a device; the caller's. On the CPU it is converted straight into place. The weight of a ResNet's
    /// convolution gets the axes [features, rows, columns, channels].
    /// </summary>
    /// <exception cref="KeyNotFoundException">CLIP has no such tensor.</exception>
    public Tensor ToTensor(Device device, string name)
    {
        (Shape shape, Action<Span<float>> read) = Tensor(name);
        return ConvolutionLayout.ToTensor(device, shape, ResNetTensors.IsConvolution(Config, name, shape), read);
    }

    /// <summary>
    /// Writes the weights as one safetensors file that <see cref="Load"/> reads back to the same model: heads,
    /// activation, epsilon and normalization are in the metadata.
    /// </summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="naming">Whose names and layouts.</param>
    /// <param name="type">F32, F16 or BF16. The temperature logit_scale and running statistics are always F32.</param>
    /// <param name="metadata">More metadata, such as where the weights come from.</param>
    /// <exception cref="IOException">The place cannot be written to.</exception>
    public void Save(string path, ClipNaming naming = ClipNaming.OpenAI, TensorType type = TensorType.F32,
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        var writer = new SafeTensorsWriter();
        foreach ((string key, string value) in metadata ?? new Dictionary<string, string>())
            writer.Metadata[key] = value;
        ClipMetadata.Write(Config, writer.Metadata, Assumed);
        AddTo(writer, naming, type);
        writer.Write(path);
    }

    /// <summary>Adds every tensor to a file that is being made, such as a checkpoint. Values are read one tensor at a
    /// time when the file is written, so these weights have to be open until then.</summary>
    public void AddTo(SafeTensorsWriter writer, ClipNaming naming = ClipNaming.OpenAI,
        TensorType type = TensorType.F32) =>
        AddTo(writer, naming, type, check: null);

    /// <summary>The same; <paramref name="check"/> receives each tensor's name and elements when it is
    /// written.</summary>
    internal void AddTo(SafeTensorsWriter writer, ClipNaming naming, TensorType type, Action<string, float[]>? check)
    {
        if (Config.IsResNet && naming == ClipNaming.HuggingFace)
            throw new InputException("Hugging Face's CLIP has no ResNet image tower, and so no names for its tensors; "
                + "keep OpenAI's");
        foreach (string name in Names)
        {
            (string[] places, bool transposed) = ClipTensors.Find(name, naming);
            int[] shape = ShapeOf(name).ToArray(), stored = [.. shape];
            if (transposed)
                Array.Reverse(stored);
            if (places.Length > 1)
                stored[0] /= places.Length;
            for (int place = 0; place < places.Length; place++)
            {
                int index = place;
                writer.Add(places[place], stored, () =>
                {
                    float[] values = Values(name);
                    check?.Invoke(name, values);
                    if (transposed)
                        values = Transpose(values, shape[0], shape[1]);
                    int part = values.Length / places.Length;
                    return values.AsMemory(index * part, part);
                }, shape.Length == 0 || NormalizedConvolution.IsStatistic(name) ? TensorType.F32 : type);
            }
        }
    }

    internal static float[] Transpose(ReadOnlySpan<float> values, int rows, int columns)
    {
        var transposed = new float[values.Length];
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                transposed[column * rows + row] = values[row * columns + column];
        return transposed;
    }

    private (Shape Shape, Action<Span<float>> Read) Tensor(string name) =>
        _tensors.TryGetValue(name, out (Shape, Action<Span<float>>) tensor) ? tensor
            : throw new KeyNotFoundException($"CLIP has no tensor {name}");

    /// <summary>Closes the file, if they come from one.</summary>
    public void Dispose() => _source?.Dispose();
}
