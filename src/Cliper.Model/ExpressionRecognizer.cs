using System.Runtime.CompilerServices;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Model;

/// <summary>
/// Images in, expressions of the faces in them out: the entry for programs that use a trained model.
/// </summary>
/// <remarks>
/// All members may be called on several threads at once. Images are decoded and searched for faces side by side; the
/// model answers one call after the other, each with all threads of its device, so that an answer does not depend on
/// who else asks.
/// </remarks>
/// <example><code>
/// using var recognizer = ExpressionRecognizer.Load();
/// foreach (RecognizedFace face in recognizer.Recognize("photo.jpg").Faces)
///     Console.WriteLine($"{face.Expression} {face.Probability:P0} at {face.Box}");
/// </code></example>
public sealed partial class ExpressionRecognizer : IDisposable
{
    /// <summary>Faces that are answered together.</summary>
    private const int FacesAtOnce = SampleReader.BatchSize;

    /// <summary>Frames of a second of video that are looked at, unless told otherwise.</summary>
    private const double UsualRate = 5;

    private readonly Lock _answering = new();
    private readonly Predictor _predictor;
    private readonly FaceCrop _crop;
    private readonly Lazy<FaceCrop> _sought;
    private readonly Device? _own;
    private readonly ExpressionNames _names;
    private readonly PredictionDocument _document;
    private BlazeFace? _network;
    private bool _disposed;

    private ExpressionRecognizer(string model, RecognizerOptions options)
    {
        if (options.MinProbability is not (>= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(options), options.MinProbability,
                "MinProbability must lie within 0 and 1");
        ShippedModel? shipped = ShippedModels.Find(model);
        string path = Checkpoint.Find(model);
        _own = options.Device is null ? RecognizerDevice.Open(options) : null;
        try
        {
            _predictor = Predictor.Load(path, options.Device ?? _own!, options.Flip);
            CheckpointInfo info = _predictor.Info;
            _sought = new Lazy<FaceCrop>(() => Sought(options, new FaceFraming(info.FaceTemplate, info.FaceMargin)));
            _crop = CropOf(options.Faces ?? (options is { FaceTable: null, FaceBox: null }
                && (shipped?.IsOfCrops == true || info.Alignment == FaceAlignment.WholeImage)
                ? FaceSelection.None : FaceSelection.All));
            Model = new RecognizerModel(shipped?.Name ?? System.IO.Path.GetFileName(
                System.IO.Path.TrimEndingDirectorySeparator(model)), path, _predictor.Method, _predictor.Classes,
                _predictor.Notes);
        }
        catch
        {
            _network?.Dispose();
            _predictor?.Dispose();
            _own?.Dispose();
            throw;
        }
        _names = new ExpressionNames(_predictor.Classes, options.MinProbability);
        _document = new PredictionDocument(new AnsweringModel(Model.Name, path, Model.Method, Model.Notes, _names),
            CancellationToken.None);
    }

    /// <summary>The model that answers.</summary>
    public RecognizerModel Model { get; }

    /// <summary>A recognizer with the model that comes with the package.</summary>
    /// <param name="options">How it looks; null for the usual.</param>
    /// <exception cref="InputException">The model's file is missing or damaged.</exception>
    public static ExpressionRecognizer Load(RecognizerOptions? options = null) =>
        Load(ShippedModels.Default.Name, options);

    /// <summary>A recognizer with a model.</summary>
    /// <param name="model">A run's folder, a checkpoint, or the name of a shipped model.</param>
    /// <param name="options">How it looks; null for the usual.</param>
    /// <exception cref="InputException">The model is missing or damaged.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public static ExpressionRecognizer Load(string model, RecognizerOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        return new ExpressionRecognizer(model, options ?? new RecognizerOptions());
    }

    /// <summary>The answer for an image in memory.</summary>
    /// <param name="image">The image.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    public Recognition Recognize(RgbImage image, CancellationToken cancellation = default) =>
        Recognize([image], cancellation)[0];

    /// <summary>The answer for an encoded image: JPEG, PNG, WebP, BMP or GIF, turned upright by its EXIF
    /// data.</summary>
    /// <param name="encoded">The bytes of a file.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">It cannot be decoded.</exception>
    public Recognition Recognize(ReadOnlySpan<byte> encoded, CancellationToken cancellation = default) =>
        Recognize(ImageCodec.Instance.Decode(encoded, "image"), cancellation);

    /// <summary>The answer for an encoded image that is read to the stream's end.</summary>
    /// <param name="stream">The bytes of a file.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">It cannot be decoded.</exception>
    public Recognition Recognize(Stream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var bytes = new MemoryStream();
        stream.CopyTo(bytes);
        return Recognize(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), cancellation);
    }

    /// <summary>The answer for an image file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">It is missing or cannot be decoded.</exception>
    public Recognition Recognize(string path, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Answer([(path, new FileFrame(path).Load(ImageCodec.Instance))], cancellation)[0];
    }

    /// <summary>The answers for images in memory, in their order: faster than one by one.</summary>
    /// <param name="images">The images.</param>
    /// <param name="cancellation">Ends it between batches with an <see cref="OperationCanceledException"/>.</param>
    public IReadOnlyList<Recognition> Recognize(IReadOnlyList<RgbImage> images,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        return Answer([.. images.Select((image, index) => ($"{index}", image))], cancellation);
    }

    /// <inheritdoc cref="Recognize(RgbImage, CancellationToken)"/>
    public Task<Recognition> RecognizeAsync(RgbImage image, CancellationToken cancellation = default) =>
        Task.Run(() => Recognize(image, cancellation), cancellation);

    /// <inheritdoc cref="Recognize(ReadOnlySpan{byte}, CancellationToken)"/>
    public Task<Recognition> RecognizeAsync(ReadOnlyMemory<byte> encoded, CancellationToken cancellation = default) =>
        Task.Run(() => Recognize(encoded.Span, cancellation), cancellation);

    /// <inheritdoc cref="Recognize(Stream, CancellationToken)"/>
    public async Task<Recognition> RecognizeAsync(Stream stream, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using var bytes = new MemoryStream();
        await stream.CopyToAsync(bytes, cancellation).ConfigureAwait(false);
        return await RecognizeAsync(bytes.GetBuffer().AsMemory(0, (int)bytes.Length), cancellation)
            .ConfigureAwait(false);
    }

    /// <inheritdoc cref="Recognize(string, CancellationToken)"/>
    public Task<Recognition> RecognizeAsync(string path, CancellationToken cancellation = default) =>
        Task.Run(() => Recognize(path, cancellation), cancellation);

    /// <summary>
    /// The answers for files and for all images below folders, as they are computed. One that cannot be read has a
    /// <see cref="Recognition.Problem"/> and ends nothing.
    /// </summary>
    /// <param name="paths">Images and folders.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">A path does not exist, or a folder has no images.</exception>
    public async IAsyncEnumerable<Recognition> RecognizeFilesAsync(IEnumerable<string> paths,
        [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        string[] given = [.. paths];
        var leftOut = new List<Recognition>();
        IReadOnlyList<Sample> files = await Task.Run(() => ImageFiles.Pictures(given, (file, reason) =>
            leftOut.Add(Unread(file, reason))), cancellation).ConfigureAwait(false);
        foreach (Recognition unread in leftOut)
            yield return unread;
        // The memory for decoding bounds how many pictures are decoded at once: each may be one of the largest.
        IEnumerable<DecodedFile> decoded = files.Chunk(PixelBudget.Threads).SelectMany(some => some.AsParallel()
            .AsOrdered().WithDegreeOfParallelism(PixelBudget.Threads).WithCancellation(cancellation).Select(Decode)
            .ToArray());
        using IEnumerator<DecodedFile[]> groups = ImageGroups.Of(decoded, file => file.Image).GetEnumerator();
        while (await Task.Run(groups.MoveNext, cancellation).ConfigureAwait(false))
            foreach (Recognition recognition in await Task.Run(() => Read(groups.Current), cancellation)
                .ConfigureAwait(false))
                yield return recognition;

        Recognition[] Read(DecodedFile[] some)
        {
            var answers = new Queue<Recognition>(Answer([.. some.Where(file => file.Image is not null)
                .Select(file => (file.Name, file.Image!))], cancellation));
            return [.. some.Select(file => file.Image is null ? Unread(file.Name, file.Problem!)
                : answers.Dequeue())];
        }

        static DecodedFile Decode(Sample sample)
        {
            try
            {
                return new DecodedFile(sample.Name, sample.Frames[0].Load(ImageCodec.Instance), null);
            }
            catch (InputException failure)
            {
                return new DecodedFile(sample.Name, null, failure.Message);
            }
        }
    }

    /// <summary>The answers for the frames of a video, in their order; a face keeps its number from frame to
    /// frame.</summary>
    /// <param name="path">The video; ffmpeg must be installed.</param>
    /// <param name="rate">Frames of a second that are looked at; 0 for all.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">It cannot be decoded, or ffmpeg is missing.</exception>
    public async IAsyncEnumerable<Recognition> RecognizeVideoAsync(string path, double rate = UsualRate,
        [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        VideoFile video = await Task.Run(() => VideoFile.Open(path, rate, cancellation), cancellation)
            .ConfigureAwait(false);
        var tracker = new FaceTracker(_crop);
        using IEnumerator<RgbImage[]> groups = ImageGroups.Of(video.Frames(damage: null, cancellation),
            image => image).GetEnumerator();
        int frame = 0;
        while (await Task.Run(groups.MoveNext, cancellation).ConfigureAwait(false))
        {
            RgbImage[] images = groups.Current;
            IReadOnlyList<(int Id, Face? Face)>[] faces = await Task.Run(() => images.Select(image =>
                tracker.Next(image, path)).ToArray(), cancellation).ConfigureAwait(false);
            foreach (Recognition recognition in await Task.Run(() => Recognize([.. images.Zip(faces, (image, found) =>
                Cut(image, path, _crop, found))], cancellation), cancellation).ConfigureAwait(false))
                yield return recognition with { Time = TimeSpan.FromSeconds(frame++ / video.Rate) };
        }
    }

    /// <summary>A file's image, or the reason why there is none.</summary>
    private readonly record struct DecodedFile(string Name, RgbImage? Image, string? Problem);

    private static Recognition Unread(string file, string reason) => new(file, 0, 0, []) { Problem = reason };

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_answering)
        {
            if (_disposed)
                return;
            _disposed = true;
            _network?.Dispose();
            _predictor.Dispose();
            _own?.Dispose();
        }
    }
}
