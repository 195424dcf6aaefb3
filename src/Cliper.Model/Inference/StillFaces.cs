using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;

namespace Cliper.Model.Inference;

/// <summary>The answers for a picture.</summary>
/// <param name="File">Its path.</param>
/// <param name="Width">Columns of the upright picture.</param>
/// <param name="Height">Rows of it.</param>
/// <param name="Faces">The faces, the largest first; null where all of the picture is looked at.</param>
/// <param name="Predictions">One for each face, or one for the picture.</param>
public sealed record StillAnswer(string File, int Width, int Height, IReadOnlyList<Face>? Faces,
    IReadOnlyList<Prediction> Predictions);

/// <summary>A picture, its faces, and the images that a model gets: one for each face, or the picture.</summary>
internal sealed record StillPicture(string File, int Width, int Height, IReadOnlyList<Face>? Faces,
    IReadOnlyList<StoredImage> Images);

/// <summary>Looks for the faces of pictures, several pictures at once.</summary>
internal static class StillFaces
{
    /// <summary>The pictures that can be read, in their order, with their faces. Each is decoded once.</summary>
    /// <param name="pictures">Samples of one picture each.</param>
    /// <param name="crop">Which parts of a picture are faces.</param>
    /// <param name="size">Side of the model's input: no more pixels are kept than it needs.</param>
    /// <param name="strict">Whether an unreadable picture is an error.</param>
    /// <param name="skipped">Else given its name, and why it is left out.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">A picture cannot be read, and strict.</exception>
    public static IEnumerable<StillPicture> Find(IReadOnlyList<Sample> pictures, FaceCrop crop, int size, bool strict,
        Action<string, string> skipped, CancellationToken cancellation)
    {
        foreach ((StillPicture? found, InputException? failure, Sample sample) in pictures.AsParallel().AsOrdered()
            .WithDegreeOfParallelism(PixelBudget.Threads).WithMergeOptions(ParallelMergeOptions.NotBuffered)
            .WithCancellation(cancellation).Select(sample => Find(sample, crop, size)))
        {
            if (found is not null)
                yield return found;
            else if (strict)
                throw new InputException(failure!.Message, failure);
            else
                skipped(sample.Name, failure!.Message);
        }
    }

    private static (StillPicture?, InputException?, Sample) Find(Sample sample, FaceCrop crop, int size)
    {
        try
        {
            Frame frame = sample.Frames[0];
            RgbImage image = frame.Load(ImageCodec.Instance);
            IReadOnlyList<Face>? faces = crop.Faces(image, frame.Name);
            IEnumerable<RgbImage> cut = faces?.Select(face => crop.Cut(image, face, frame.Name)) ?? [image];
            return (new StillPicture(sample.Name, image.OriginalWidth, image.OriginalHeight,
                faces?.Select(face => face.Scaled(image.Reduction)).ToArray(), [.. cut.Select(part =>
                PixelCache.Store(part, size, fromOriginal: false))]), null, sample);
        }
        catch (InputException failure)
        {
            return (null, failure, sample);
        }
    }
}
