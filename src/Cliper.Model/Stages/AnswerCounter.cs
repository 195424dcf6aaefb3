using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Prompts;

namespace Cliper.Model.Stages;

/// <summary>
/// Counts how many training samples of a step get the right answer. The logits are those of the loss, of augmented
/// images and of weights that move, so the share is a curve to look at and no measurement.
/// </summary>
/// <param name="device">Device of the logits.</param>
/// <param name="samples">Most samples of a step.</param>
/// <param name="classes">Number of classes, K.</param>
/// <param name="promptsPerClass">Prompts a class, M.</param>
internal sealed class AnswerCounter(Device device, int samples, int classes, int promptsPerClass) : IDisposable
{
    private readonly DeviceArray _logits = device.Allocate((long)samples * classes * promptsPerClass);
    private readonly List<int> _labels = [];
    private long _queued;

    /// <summary>Keeps the logits of a batch; waits for nothing.</summary>
    /// <param name="logits">[samples, K * M], fp32.</param>
    public void Queue(Tensor logits)
    {
        long values = logits.Shape.Count;
        device.Copy(logits.Data, _logits.Slice(_queued, values));
        _queued += values;
    }

    /// <summary>Keeps the labels of a batch.</summary>
    /// <param name="labels">One a sample.</param>
    public void Add(ReadOnlySpan<int> labels) => _labels.AddRange(labels);

    /// <summary>Counts the right answers of the step that has been queued, and begins the next. Waits for the
    /// device.</summary>
    public int Take()
    {
        float[] rows = device.ToFloats(_logits);
        int width = classes * promptsPerClass, correct = 0;
        for (int sample = 0; sample < _labels.Count; sample++)
            if (Prediction.ClassOf(rows.AsSpan(sample * width, width), promptsPerClass) == _labels[sample])
                correct++;
        _labels.Clear();
        _queued = 0;
        return correct;
    }

    /// <inheritdoc/>
    public void Dispose() => device.Free(_logits);
}
