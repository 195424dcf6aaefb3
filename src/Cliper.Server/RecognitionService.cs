using Cliper.Model;
using Cliper.Model.Images;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Cliper.Server;

/// <summary>The model behind the endpoints: loaded once, asked through one queue.</summary>
internal sealed class RecognitionService
{
    // The first pictures compile the code that they run through; these are the sizes that batches come in.
    private static readonly int[] WarmUpFaces = [1, 2, 16];

    private readonly CliperServerOptions _options;
    private readonly Lazy<Task<Ready>> _ready;
    private readonly IHostApplicationLifetime? _lifetime;

    /// <summary>A service over the recognizer of a host.</summary>
    /// <param name="services">The host's services.</param>
    /// <param name="options">The limits.</param>
    public RecognitionService(IServiceProvider services, CliperServerOptions options)
    {
        (_options, Admission, Finder) = (options, new Admission(options), new FaceFinder(options));
        ILogger log = services.GetRequiredService<ILoggerFactory>().CreateLogger<RecognitionService>();
        _ready = new Lazy<Task<Ready>>(() => Task.Run(() => Load(services, log)));
        _lifetime = services.GetService<IHostApplicationLifetime>();
        _lifetime?.ApplicationStarted.Register(() => _ = _ready.Value);
        _lifetime?.ApplicationStopped.Register(End);
    }

    private sealed record Ready(ExpressionRecognizer Recognizer, BatchQueue Queue);

    /// <summary>The requests that are taken.</summary>
    public Admission Admission { get; }

    /// <summary>Finds the faces of pictures.</summary>
    public FaceFinder Finder { get; }

    /// <summary>The counts.</summary>
    public ServerMetrics Metrics { get; } = new();

    /// <summary>Whether the model answers, and the host is not stopping.</summary>
    public bool IsReady => _ready is { IsValueCreated: true, Value.IsCompletedSuccessfully: true }
        && _lifetime?.ApplicationStopping.IsCancellationRequested != true;

    /// <summary>The model; null before it is loaded.</summary>
    public RecognizerModel? Model => _ready is { IsValueCreated: true, Value.IsCompletedSuccessfully: true }
        ? _ready.Value.Result.Recognizer.Model : null;

    /// <summary>The recognizer, once it is loaded; the first call loads it.</summary>
    public async Task<ExpressionRecognizer> RecognizerAsync(CancellationToken cancellation) =>
        (await _ready.Value.WaitAsync(cancellation).ConfigureAwait(false)).Recognizer;

    /// <summary>The answers for images, through the queue.</summary>
    public async Task<IReadOnlyList<Recognition>> AskAsync(IReadOnlyList<FoundFaces> images,
        CancellationToken cancellation)
    {
        Ready ready = await _ready.Value.WaitAsync(cancellation).ConfigureAwait(false);
        Metrics.Pictures(images.Count);
        return images.Sum(image => image.Count) == 0 ? ready.Recognizer.Recognize(images, cancellation)
            : await ready.Queue.AskAsync(images, cancellation).ConfigureAwait(false);
    }

    private Ready Load(IServiceProvider services, ILogger log)
    {
        try
        {
            var recognizer = services.GetRequiredService<ExpressionRecognizer>();
            var blank = new RgbImage(64, 64, new byte[3 * 64 * 64]);
            byte[] encoded = SkiaImageCodec.Instance.Encode(blank, ImageFormat.Jpeg);
            RgbImage decoded = SkiaImageCodec.Instance.Decode(encoded, "warm-up");
            recognizer.Find(decoded, "warm-up");
            FoundFaces face = recognizer.Find(decoded, "warm-up", FaceSelection.None);
            foreach (int faces in WarmUpFaces)
                recognizer.Recognize([.. Enumerable.Repeat(face, faces)]);
            return new Ready(recognizer, new BatchQueue(recognizer, _options, () => Finder.Underway, Metrics.Batch));
        }
        catch (Exception failure)
        {
            ServerLog.ModelNotLoaded(log, failure);
            throw;
        }
    }

    private void End()
    {
        if (_ready is { IsValueCreated: true, Value.IsCompletedSuccessfully: true })
            _ready.Value.Result.Queue.Dispose();
        Finder.Dispose();
    }
}
