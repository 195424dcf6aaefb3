using Microsoft.ML.OnnxRuntime;

namespace Cliper.Benchmarks.Peers;

/// <summary>
/// One ONNX model with its inputs in place: all graph optimizations, the given threads, all else as it comes.
/// </summary>
internal sealed class OnnxSession : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly Dictionary<string, OrtValue> _inputs = [];

    public OnnxSession(byte[] model, int threads)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        _session = new InferenceSession(model, options);
    }

    /// <summary>Sets an input; the array is read where it lies.</summary>
    public OnnxSession With<T>(string name, T[] values, params long[] shape) where T : unmanaged
    {
        _inputs[name] = OrtValue.CreateTensorValueFromMemory(values, shape);
        return this;
    }

    /// <summary>Runs and drops the outputs.</summary>
    public void Run()
    {
        using IDisposableReadOnlyCollection<OrtValue> _ = _session.Run(_options, _inputs, _session.OutputNames);
    }

    /// <summary>Runs and returns the first output.</summary>
    public float[] Result()
    {
        using IDisposableReadOnlyCollection<OrtValue> outputs = _session.Run(_options, _inputs, _session.OutputNames);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (OrtValue input in _inputs.Values)
            input.Dispose();
        _options.Dispose();
        _session.Dispose();
    }
}
