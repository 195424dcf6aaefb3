using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;

namespace Cliper.Model.Inference;

/// <summary>
/// Images in memory to answers, without a loader. Features of single frames, and predictions from their means: a
/// clip's feature is the mean of its frames' features, so windows that overlap share them.
/// </summary>
internal sealed class FrameEncoder
{
    private readonly CliperModel _model;
    private readonly Tensor? _classFeatures;
    private readonly PixelPipeline _pipeline;
    private readonly bool _flip;

    /// <summary>An encoder for a model.</summary>
    /// <param name="model">The model.</param>
    /// <param name="classFeatures">Class features that serve every image; null where there are none.</param>
    /// <param name="flip">Whether an image's feature is the mean of its own and its mirror image's.</param>
    public FrameEncoder(CliperModel model, Tensor? classFeatures, bool flip)
    {
        (_model, _classFeatures, _flip) = (model, classFeatures, flip);
        ImageInput input = model.Clip.Vision.Input;
        _pipeline = new PixelPipeline(input.ImageSize, Augmentation.None,
            Normalize.Table(input.Mean.ToArray(), input.Std.ToArray()));
    }

    /// <summary>Ends an answer with an <see cref="OperationCanceledException"/> between two operations.</summary>
    public CancellationToken Cancellation { get; set; }

    /// <summary>Values of a feature.</summary>
    public int Width => _model.Clip.Config.EmbedSize;

    /// <summary>Images that the tower gets for each.</summary>
    private int Views => _flip ? 2 : 1;

    /// <summary>Features of frames, not normalized, [frames, <see cref="Width"/>].</summary>
    public float[] Encode(IReadOnlyList<RgbImage> frames)
    {
        using Tape tape = NewTape();
        return _model.ImageFeatures(tape, tape.Own(Images(frames)), Views).ToArray();
    }

    /// <summary>The answer for each of some images, which go through the model together.</summary>
    /// <param name="images">Images as <see cref="PixelCache.Store(RgbImage, int, bool)"/> keeps them.</param>
    public IEnumerable<Prediction> Predict(IReadOnlyList<StoredImage> images)
    {
        float[] logits;
        using (Tape tape = NewTape())
            logits = _model.ImageLogits(tape, tape.Own(Images(images)), Views, _classFeatures).ToArray();
        int width = logits.Length / images.Count;
        return images.Select((_, i) => _model.Answer(logits.AsSpan(i * width, width)));
    }

    private Tape NewTape() => new(_model.Clip.Device, recording: false) { Cancellation = Cancellation };

    private Tensor Images(IReadOnlyList<RgbImage> frames) =>
        Images([.. frames.Select(frame => PixelCache.Store(frame, _pipeline.Size, fromOriginal: false))]);

    /// <summary>The input of the image tower.</summary>
    /// <param name="frames">Images as <see cref="PixelCache.Store(RgbImage, int, bool)"/> keeps them.</param>
    /// <returns>The caller's to dispose.</returns>
    public Tensor Images(IReadOnlyList<StoredImage> frames)
    {
        Device device = _model.Clip.Device;
        (StoredImage Image, ImageTransform Plan)[] stored = [.. frames.SelectMany(Plans)];
        if (RawImages.AreFor(device))
            return new RawImages(stored, _pipeline, _model.Clip.Vision.Input.PatchSize).Render(device);
        int size = _pipeline.Size, plane = 3 * size * size;
        var pixels = new float[stored.Length * plane];
        for (int i = 0; i < stored.Length; i++)
            _pipeline.Render(stored[i].Image, stored[i].Plan, pixels.AsSpan(i * plane, plane));
        return Tensor.From(device, pixels, new Shape(stored.Length, 3, size, size));
    }

    private IEnumerable<(StoredImage Image, ImageTransform Plan)> Plans(StoredImage image)
    {
        ImageTransform plain = _pipeline.Draw(image, default);
        yield return (image, plain);
        if (_flip)
            yield return (image, _pipeline.Mirrored(plain));
    }

    /// <summary>The answer for the mean of frames, given its feature.</summary>
    public Prediction Classify(ReadOnlySpan<float> feature)
    {
        using var tape = new Tape(_model.Clip.Device, recording: false);
        Tensor row = tape.Own(Tensor.From(tape.Device, feature, new Shape(1, Width)));
        return _model.Answer(_model.Logits(tape, row, _classFeatures).ToArray());
    }
}
