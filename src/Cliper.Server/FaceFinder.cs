using Cliper.Model;
using Cliper.Model.Images;
using Microsoft.AspNetCore.Http;

namespace Cliper.Server;

/// <summary>A picture after its faces were looked for.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Faces">Its faces; null where it could not be read.</param>
/// <param name="Refusal">Why it could not be read; else null.</param>
internal sealed record Looked(string Name, FoundFaces? Faces, RequestException? Refusal);

/// <summary>Decodes pictures and looks for their faces, as many at a time as there are processors.</summary>
/// <param name="options">The limits.</param>
internal sealed class FaceFinder(CliperServerOptions options) : IDisposable
{
    private readonly SemaphoreSlim _free = new(Environment.ProcessorCount);
    private int _underway;

    /// <summary>Pictures whose faces are being looked for, or that wait for it.</summary>
    public int Underway => Volatile.Read(ref _underway);

    /// <summary>The pictures of a request, in their order.</summary>
    /// <param name="recognizer">Finds the faces.</param>
    /// <param name="pictures">The pictures.</param>
    /// <param name="faces">Which faces; null for the recognizer's own choice.</param>
    /// <param name="cancellation">Ends it between pictures with an
    /// <see cref="OperationCanceledException"/>.</param>
    public async Task<IReadOnlyList<Looked>> FindAsync(ExpressionRecognizer recognizer, IReadOnlyList<Upload> pictures,
        FaceSelection? faces, CancellationToken cancellation)
    {
        if (pictures.Count == 1)
            return [await RunAsync(() => Look(recognizer, pictures[0], faces), cancellation).ConfigureAwait(false)];
        var found = new Looked[pictures.Count];
        await Parallel.ForEachAsync(Enumerable.Range(0, pictures.Count), cancellation, async (at, stop) =>
            found[at] = await RunAsync(() => Look(recognizer, pictures[at], faces), stop).ConfigureAwait(false))
            .ConfigureAwait(false);
        return found;
    }

    /// <summary>Runs work on a picture when a processor is free for it, on the thread that has waited for it.</summary>
    public async Task<T> RunAsync<T>(Func<T> work, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _underway);
        try
        {
            await _free.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                return work();
            }
            finally
            {
                _free.Release();
            }
        }
        finally
        {
            Interlocked.Decrement(ref _underway);
        }
    }

    private Looked Look(ExpressionRecognizer recognizer, Upload picture, FaceSelection? faces)
    {
        string name = picture.Name;
        ReadOnlySpan<byte> bytes = picture.Bytes.Span;
        if (!SkiaImageCodec.IsReadable(bytes))
            return Refused(StatusCodes.Status415UnsupportedMediaType,
                $"{name}: not a JPEG, PNG, WebP, BMP or GIF picture");
        try
        {
            (int width, int height) = SkiaImageCodec.SizeOf(bytes, name);
            if ((long)width * height > options.MaxPixels)
                return Refused(StatusCodes.Status422UnprocessableEntity, FormattableString.Invariant(
                    $"{name}: a picture of {width} x {height} pixels, expected at most {options.MaxPixels} in all"));
            return new Looked(name, recognizer.Find(SkiaImageCodec.Instance.Decode(bytes, name), name, faces), null);
        }
        catch (InputException failure)
        {
            return Refused(StatusCodes.Status422UnprocessableEntity, failure.Message);
        }

        Looked Refused(int status, string reason) => new(name, null, new RequestException(status, reason));
    }

    /// <inheritdoc/>
    public void Dispose() => _free.Dispose();
}
