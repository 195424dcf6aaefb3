using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Images;
using Cliper.Model.Prompts;

namespace Cliper.Model.Inference;

/// <summary>
/// Features of single frames, and predictions from their means: a clip's feature is the mean of its frames' features, so
/// windows that overlap share them.
/// </summary>
internal sealed class FrameEncoder
{
    private readonly CliperModel _model;
    private readonly Tensor _descriptors;
    private readonly PixelPipeline _pipeline;

    /// <summary>An encoder for a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="descriptors">Its descriptors' features.</param>
    public FrameEncoder(CliperModel model, Tensor descriptors)
    {
        (_model, _descriptors) = (model, descriptors);
        ClipConfig config = model.Clip.Config;
        _pipeline = new PixelPipeline(config.ImageSize, Augmentation.None, Normalize.Table(config.Mean.ToArray(), config.Std.ToArray()));
    }

    /// <summary>Values of a feature.</summary>
    public int Width => _model.Clip.Config.EmbedSize;

    /// <summary>Features of frames, not normalised, [frames, <see cref="Width"/>].</summary>
    public float[] Encode(IReadOnlyList<RgbImage> frames)
    {
        using var tape = new Tape(_model.Clip.Device, recording: false);
        return _model.ImageFeatures(tape, tape.Own(Images(frames))).ToArray();
    }

    private Tensor Images(IReadOnlyList<RgbImage> frames)
    {
        Device device = _model.Clip.Device;
        (StoredImage Image, ImageTransform Plan)[] stored = [.. frames.Select(frame =>
        {
            StoredImage image = _pipeline.Store(frame);
            return (image, _pipeline.Draw(image, default));
        })];
        if (RawImages.AreFor(device))
            return new RawImages(stored, _pipeline, _model.Clip.Config.PatchSize).Render(device);
        int size = _pipeline.Size, plane = 3 * size * size;
        var pixels = new float[frames.Count * plane];
        for (int i = 0; i < stored.Length; i++)
            _pipeline.Render(stored[i].Image, stored[i].Plan, pixels.AsSpan(i * plane, plane));
        return Tensor.From(device, pixels, new Shape(frames.Count, 3, size, size));
    }

    /// <summary>The answer for the mean of frames, given its feature.</summary>
    public Prediction Classify(ReadOnlySpan<float> feature)
    {
        using var tape = new Tape(_model.Clip.Device, recording: false);
        Tensor row = tape.Own(Tensor.From(tape.Device, feature, new Shape(1, Width)));
        return Prediction.FromLogits(_model.Logits(tape, row, _descriptors).ToArray(), _model.Metd.Subclasses);
    }
}
