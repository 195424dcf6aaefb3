using System.Globalization;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Faces;

/// <summary>How much of a picture a model gets with a face.</summary>
/// <param name="Template">Where the face has to lie; null where that was not measured.</param>
/// <param name="Margin">Without a template: added to each side of the box, as a part of its size.</param>
public sealed record FaceFraming(FaceTemplate? Template, float Margin = 0)
{
    /// <summary>
    /// Without a template: a face that covers this part of a picture is all the picture was made for, cut out already.
    /// It is left as it is, as the training pictures were.
    /// </summary>
    private const double CutOutAlready = 0.3;

    /// <summary>The pixels that a model gets.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="face">The face in it.</param>
    /// <param name="name">The name to call the picture in an error.</param>
    /// <exception cref="InputException">The face lies outside of the picture.</exception>
    internal RgbImage Cut(RgbImage image, Face face, string name)
    {
        if (Template is null)
            return image.Cut(face.Box.Widened(Margin), name);
        image.Inside(face.Box, name);
        RgbImage placed = Template.Place(face).Of(image);
        return Template.Look?.Apply(placed) ?? placed;
    }

    /// <summary>The frame that a model gets.</summary>
    /// <param name="picture">The whole picture.</param>
    /// <param name="face">The face in it.</param>
    internal Frame FrameOf(Frame picture, Face face) => Template is null
        ? new CutFrame(picture, face.Box.Widened(Margin)) : new PlacedFrame(picture, face, this);

    /// <summary>Whether a picture was cut to the face that was found in it, and stays whole.</summary>
    /// <param name="face">The face.</param>
    /// <param name="width">Columns of the picture.</param>
    /// <param name="height">Rows of the picture.</param>
    internal bool IsCutOut(Face face, int width, int height) =>
        Template is null && (double)face.Box.Width * face.Box.Height >= CutOutAlready * width * height;

    /// <summary>A face of a picture, where the template has it.</summary>
    private sealed class PlacedFrame(Frame inner, Face face, FaceFraming framing) : Frame
    {
        /// <inheritdoc/>
        public override string Name => inner.Name;

        /// <inheritdoc/>
        public override string Identity => string.Create(CultureInfo.InvariantCulture,
            $"{inner.Identity}|{framing.Template!.Place(face)}");

        /// <inheritdoc/>
        public override RgbImage Load(IImageCodec codec) => framing.Cut(inner.Load(codec), face, Name);
    }
}
