using Microsoft.ML.OnnxRuntime;

namespace Cliper.Model.Tests.Export;

/// <summary>A model in ONNX Runtime, which shares no code with this project.</summary>
internal sealed class OrtModel : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();

    public OrtModel(string path)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = 2,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        _session = new InferenceSession(path, options);
    }

    /// <summary>The texts in the file.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _session.ModelMetadata.CustomMetadataMap;

    /// <summary>Type and shape of the one input, such as "Byte [-1, 96, 96, 3]".</summary>
    public string Input => Describe(_session.InputMetadata.Single());

    /// <summary>Types and shapes of the outputs.</summary>
    public IEnumerable<string> Outputs => _session.OutputMetadata.Select(Describe);

    /// <summary>The outputs by their names, float32 all but "descriptor".</summary>
    public (Dictionary<string, float[]> Floats, long[] Descriptor) Run<T>(T[] pixels, params long[] shape)
        where T : unmanaged
    {
        using OrtValue input = OrtValue.CreateTensorValueFromMemory(pixels, shape);
        var inputs = new Dictionary<string, OrtValue> { ["pixels"] = input };
        using IDisposableReadOnlyCollection<OrtValue> outputs = _session.Run(_options, inputs, _session.OutputNames);
        var floats = new Dictionary<string, float[]>();
        long[] descriptor = [];
        foreach ((string name, OrtValue output) in _session.OutputNames.Zip(outputs))
            if (name == "descriptor")
                descriptor = output.GetTensorDataAsSpan<long>().ToArray();
            else
                floats[name] = output.GetTensorDataAsSpan<float>().ToArray();
        return (floats, descriptor);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _options.Dispose();
        _session.Dispose();
    }

    private static string Describe(KeyValuePair<string, NodeMetadata> entry) => $"{entry.Key} "
        + $"{entry.Value.ElementType.Name} [{string.Join(", ", entry.Value.Dimensions)}]";
}
