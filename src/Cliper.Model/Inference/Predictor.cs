using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Inference;

/// <summary>A model's answer for a clip.</summary>
/// <param name="File">Its path.</param>
/// <param name="Prediction">The answer.</param>
public sealed record FilePrediction(string File, Prediction Prediction);

/// <summary>A trained model with its descriptors' features at hand: images in, expressions out.</summary>
public sealed class Predictor : IDisposable
{
    private readonly CliperModel _model;
    private readonly Tape _tape;
    private readonly Tensor? _classFeatures;
    private FrameEncoder? _encoder;
    private ClipTokenizer? _tokenizer;

    private Predictor(string path, CliperModel model, CheckpointInfo info, bool flip)
    {
        (Path, _model, Info, Flip) = (path, model, info, flip);
        _tape = new Tape(model.Clip.Device, recording: false);
        _classFeatures = model.ClassFeatures(_tape);
    }

    /// <summary>The file of the model.</summary>
    public string Path { get; }

    /// <summary>Class names, in the order of the probabilities.</summary>
    public IReadOnlyList<string> Classes => _model.Classes;

    /// <summary>Facts that the checkpoint states.</summary>
    public CheckpointInfo Info { get; }

    /// <summary>
    /// Whether an answer is that of an image and its mirror image together, by the mean of their features: a little
    /// better, and twice the work.
    /// </summary>
    public bool Flip { get; }

    /// <summary>How far the run of the checkpoint has come; null for the model of a finished run.</summary>
    public string? Unfinished { get; private init; }

    /// <summary>
    /// Facts that a reader of the answers should know, such as the terms of the training data. How a CLIP was
    /// pre-trained concerns figures, which have it beside them.
    /// </summary>
    public IReadOnlyList<string> Notes =>
        [.. new[] { ShippedModels.All.FirstOrDefault(model => model.Path == Path)?.Note, Unfinished, Info.Terms }
            .OfType<string>().Where(note => note.Length > 0)];

    /// <summary>Facts that were assumed of weights which do not state them, a sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; private init; } = [];

    /// <summary>Reads a checkpoint.</summary>
    /// <param name="checkpoint">Its file.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="flip">See <see cref="Flip"/>.</param>
    /// <param name="allowUnfinished">Whether a model may answer whose descriptors have not been learned yet.</param>
    /// <exception cref="InputException">It is missing, damaged, none of this program, or unfinished.</exception>
    public static Predictor Load(string checkpoint, Device device, bool flip = false, bool allowUnfinished = false)
    {
        using Checkpoint.CheckpointReader reader = new(checkpoint);
        TrainingState? state = reader.State;
        if (!allowUnfinished && state?.HasCompleted(TrainingStage.Stage1) == false)
            throw new InputException($"{checkpoint}: the run has only come to {state.Place}, and its descriptors are "
                + "not learned yet")
            { Remedy = Remedy.ResumeOrAllowUnfinished };
        CheckpointInfo info = reader.Info;
        return new Predictor(checkpoint, reader.ReadModel(device), info, flip)
        {
            Unfinished = state?.Stage is null ? null
                : $"the run is not finished: this is its model at {state.Place}",
        };
    }

    /// <summary>
    /// A CLIP that answers zero-shot, by captions of the class names: see <see cref="FixedPrompts"/>.
    /// </summary>
    /// <param name="weights">CLIP weights: a file, a folder, or a model's name in the local cache.</param>
    /// <param name="classes">Class names, at least two. Nouns of expressions are adjectives in the captions.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="stated">Facts on the weights that hold against those of the file; null for none.</param>
    /// <param name="flip">See <see cref="Flip"/>.</param>
    /// <exception cref="InputException">The weights or their tokenizer are missing or damaged.</exception>
    /// <exception cref="SettingsException">A stated text is no fact.</exception>
    public static Predictor ZeroShot(string weights, IReadOnlyList<string> classes, Device device,
        ClipStatement? stated = null, bool flip = false)
    {
        using ClipWeights loaded = ClipWeights.Load(weights, stated: stated);
        ClipTokenizer tokenizer = WeightsTokenizer.For(loaded, weights);
        var prompts = new FixedPrompts([.. classes.Select(CaptionsOf)]);
        var clip = new ClipModel(device, loaded);
        CliperModel model;
        try
        {
            model = new CliperModel(clip, prompts, classes, clip.Temperature);
        }
        catch
        {
            clip.Dispose();
            throw;
        }
        return new Predictor(loaded.SourcePath ?? weights, model,
            new CheckpointInfo(1, "", "") { FaceTemplate = FaceTemplate.Usual }, flip)
        { Warnings = loaded.Warnings, _tokenizer = tokenizer };

        IReadOnlyList<int[]> CaptionsOf(string name)
        {
            string word = Expressions.All.Contains(name) ? Expressions.Adjective(name) : name;
            return [.. PromptTemplates.Faces.Select(template =>
                tokenizer.Encode(PromptTemplates.Fill(template, word), loaded.Config.ContextLength))];
        }
    }

    /// <summary>The model itself.</summary>
    internal CliperModel Model => _model;

    /// <summary>Class features that serve every image, [K * M, D]; null where there are none.</summary>
    internal Tensor? ClassFeatures => _classFeatures;

    private FrameEncoder Encoder => _encoder ??= new FrameEncoder(_model, _classFeatures, Flip);

    /// <summary>The vocabulary in the model's file or beside it; null where there is none.</summary>
    /// <exception cref="InputException">It is damaged.</exception>
    internal BpeVocabulary? Vocabulary()
    {
        using TensorSource source = TensorSource.Open(Path);
        return WeightsTokenizer.Find(source.Metadata, Path);
    }

    /// <summary>How the model was trained, in the words of the command line where those have one.</summary>
    public string Method => PromptLearners.WordOf(_model.Prompts);

    /// <summary>The answers for images in memory, in their order. Not thread-safe.</summary>
    /// <param name="images">The images, each cut to a face where the model looks at faces.</param>
    public IReadOnlyList<Prediction> Predict(IReadOnlyList<RgbImage> images) =>
        [.. images.Select(Store).Chunk(SampleReader.BatchSize).SelectMany(Encoder.Predict)];

    /// <summary>An image in the form that the model takes it in, no larger than it needs. Thread-safe.</summary>
    /// <param name="image">The image, cut to a face where the model looks at faces.</param>
    internal StoredImage Store(RgbImage image) =>
        PixelCache.Store(image, _model.Clip.Vision.Input.ImageSize, fromOriginal: false);

    /// <summary>The answers for a batch of images, in their order. Not thread-safe.</summary>
    /// <param name="images">Images from <see cref="Store"/>, which go through the model together.</param>
    internal IEnumerable<Prediction> Predict(IReadOnlyList<StoredImage> images) => Encoder.Predict(images);

    /// <summary>
    /// Answers for pictures, in their order, as they are computed: a few dozen are read, searched for faces and
    /// answered together.
    /// </summary>
    /// <param name="pictures">Samples of one picture each.</param>
    /// <param name="crop">Which parts of a picture are faces.</param>
    /// <param name="strict">Whether an unreadable picture is an error.</param>
    /// <param name="skipped">Else given its name, and why it is left out.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>An answer for each picture that can be read, without a prediction where no face was found.</returns>
    public IEnumerable<StillAnswer> Predict(IReadOnlyList<Sample> pictures, FaceCrop crop, bool strict,
        Action<string, string> skipped, CancellationToken cancellation)
    {
        Encoder.Cancellation = cancellation;
        var waiting = new List<StillPicture>();
        int images = 0;
        foreach (StillPicture picture in StillFaces.Find(pictures, crop, _model.Clip.Vision.Input.ImageSize, strict,
            skipped, cancellation))
        {
            waiting.Add(picture);
            if ((images += picture.Images.Count) < SampleReader.BatchSize)
                continue;
            foreach (StillAnswer answer in Answer(waiting))
                yield return answer;
            waiting.Clear();
            images = 0;
        }
        foreach (StillAnswer answer in Answer(waiting))
            yield return answer;
    }

    private IEnumerable<StillAnswer> Answer(List<StillPicture> pictures)
    {
        Prediction[] all = [.. pictures.SelectMany(picture => picture.Images).Chunk(SampleReader.BatchSize)
            .SelectMany(Encoder.Predict)];
        int taken = 0;
        foreach (StillPicture picture in pictures)
        {
            yield return new StillAnswer(picture.File, picture.Width, picture.Height, picture.Faces,
                all[taken..(taken + picture.Images.Count)]);
            taken += picture.Images.Count;
        }
    }

    /// <summary>Predicts clips, in their order, as they are computed.</summary>
    /// <param name="samples">Clips, of which the model takes as many frames as it was trained on.</param>
    /// <param name="strict">Whether an unreadable image is an error.</param>
    /// <param name="skipped">Given the name of each sample left out, and why.</param>
    /// <param name="cancellation">Stops between batches.</param>
    public IEnumerable<FilePrediction> PredictClips(IReadOnlyList<Sample> samples, bool strict,
        Action<string, string> skipped, CancellationToken cancellation)
    {
        if (samples.Count == 0)
            yield break;
        using BatchLoader loader = SampleReader.Open(new DataSplit("given", ["any"], samples), _model.Clip,
            Info.Frames, strict, Info, Flip);
        foreach (Batch batch in loader.Epoch(0, cancellation: cancellation))
        {
            using Batch current = batch;
            using var tape = new Tape(_model.Clip.Device, recording: false) { Cancellation = cancellation };
            float[] logits = _model.ImageLogits(tape, batch.TakePixels(tape), batch.Frames, _classFeatures).ToArray();
            int width = logits.Length / batch.Count;
            for (int i = 0; i < batch.Count; i++)
                yield return new FilePrediction(samples[batch.Indices[i]].Name,
                    _model.Answer(logits.AsSpan(i * width, width)));
        }
        foreach ((string name, string reason) in loader.Skipped.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            skipped(name, reason);
    }

    /// <summary>The model on videos.</summary>
    /// <param name="crop">Which part of a frame.</param>
    /// <param name="faceless">Receives a message on frames without a face, a sentence a video.</param>
    /// <param name="strict">Whether damage to a video is an error.</param>
    /// <param name="damage">Receives damage otherwise, a sentence each.</param>
    public VideoPredictor ForVideo(FaceCrop crop, bool strict, Action<string> faceless, Action<string> damage) =>
        new(Encoder, Info.Frames, crop, strict, faceless, damage);

    /// <summary>Evaluates the model on a split, whose classes are matched by name.</summary>
    /// <param name="split">The samples.</param>
    /// <param name="strict">Whether an unreadable image is an error; else it is left out and among the
    /// skipped.</param>
    /// <param name="progress">Told, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    /// <exception cref="InputException">The data has classes that the model has not, or cannot be read.</exception>
    public (Evaluation Evaluation, IReadOnlyDictionary<string, string> Skipped) Evaluate(DataSplit split, bool strict,
        Action<double>? progress = null, CancellationToken cancellation = default)
    {
        using BatchLoader loader =
            SampleReader.Open(split.WithClasses(Classes), _model.Clip, Info.Frames, strict, Info, Flip);
        Evaluation evaluation = Evaluator.Run(_model, _classFeatures, loader, progress, cancellation);
        return (evaluation, loader.SkippedOfAllRanks());
    }

    /// <summary>
    /// Evaluates a CLIP on a split by every pair of caption templates and class words: one pass over the images, and
    /// all captions scored from their features.
    /// </summary>
    /// <param name="split">The samples.</param>
    /// <param name="format">Layout of the data, which tells its own class names.</param>
    /// <param name="strict">Whether an unreadable image is an error; else it is left out.</param>
    /// <param name="progress">Told, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    /// <exception cref="InvalidOperationException">The model is no CLIP that answers zero-shot.</exception>
    public IReadOnlyList<PromptSetResult> EvaluatePrompts(DataSplit split, string format, bool strict,
        Action<double>? progress = null, CancellationToken cancellation = default)
    {
        ClipTokenizer tokenizer = _tokenizer
            ?? throw new InvalidOperationException("captions are scored by CLIP weights, not by a trained model");
        DataSplit own = split.WithClasses(Classes);
        using BatchLoader loader = SampleReader.Open(own, _model.Clip, Info.Frames, strict, Info, Flip);
        FeatureTable table = SplitFeatures.Of(_model, loader, progress, cancellation);
        return [.. PromptSetEvaluator.Run(_model, tokenizer, own, table, format)];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _tape.Dispose();
        _model.Dispose();
    }
}
