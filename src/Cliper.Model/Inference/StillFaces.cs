using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Inference;

/// <summary>A picture and its faces.</summary>
/// <param name="File">Its path.</param>
/// <param name="Width">Columns of the upright picture.</param>
/// <param name="Height">Rows of it.</param>
/// <param name="Faces">The faces; null where all of the picture is looked at.</param>
/// <param name="Samples">The samples that a model gets: one for each face, or the picture.</param>
public sealed record StillPicture(string File, int Width, int Height, IReadOnlyList<Face>? Faces,
    IReadOnlyList<Sample> Samples);

/// <summary>Looks for the faces of pictures, several pictures at once.</summary>
public static class StillFaces
{
    /// <summary>The pictures that can be read, in their order, with their faces.</summary>
    /// <param name="pictures">Samples of one picture each.</param>
    /// <param name="crop">Which parts of a picture are faces.</param>
    /// <param name="strict">Whether an unreadable picture is an error.</param>
    /// <param name="skipped">Else given its name, and why it is left out.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">A picture cannot be read, and strict.</exception>
    public static IEnumerable<StillPicture> Find(IReadOnlyList<Sample> pictures, FaceCrop crop, bool strict,
        Action<string, string> skipped,
        CancellationToken cancellation)
    {
        foreach ((StillPicture? found, InputException? failure, Sample sample) in pictures.AsParallel().AsOrdered()
            .WithMergeOptions(ParallelMergeOptions.NotBuffered).WithCancellation(cancellation).Select(sample =>
                Find(sample, crop)))
        {
            if (found is not null)
                yield return found;
            else if (strict)
                throw new InputException(failure!.Message, failure);
            else
                skipped(sample.Name, failure!.Message);
        }
    }

    private static (StillPicture?, InputException?, Sample) Find(Sample sample, FaceCrop crop)
    {
        try
        {
            Frame frame = sample.Frames[0];
            RgbImage image = frame.Load(ImageCodec.Instance);
            IReadOnlyList<Face>? faces = crop.Faces(image, frame.Name);
            // Names of samples are unique: the faces of a picture are numbered.
            IReadOnlyList<Sample> samples = faces is null ? [sample] : [.. faces.Select((face, id) => sample with
            {
                Name = $"{sample.Name}#{id}",
                Frames = [crop.FrameOf(frame, image.Width, image.Height, face)],
            })];
            return (new StillPicture(sample.Name, image.Width, image.Height, faces, samples), null, sample);
        }
        catch (InputException failure)
        {
            return (null, failure, sample);
        }
    }
}
