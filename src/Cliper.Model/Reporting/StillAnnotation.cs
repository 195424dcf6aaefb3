using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Prompts;

namespace Cliper.Model.Reporting;

/// <summary>An answer to draw.</summary>
/// <param name="Box">The face; null for all of the picture.</param>
/// <param name="Prediction">The answer.</param>
public sealed record DrawnAnswer(PixelBox? Box, Prediction Prediction);

/// <summary>
/// A picture with a model's answer for each face drawn in: a frame around it, the label and its probability above.
/// </summary>
public static class StillAnnotation
{
    private const int Background = 0x202020, White = 0xFFFFFF;

    /// <summary>Draws into the picture.</summary>
    /// <param name="image">The picture, which is changed.</param>
    /// <param name="answers">Boxes and answers.</param>
    /// <param name="names">The names of answers.</param>
    /// <param name="model">Name of the model, for the lower left corner.</param>
    public static void Draw(RgbImage image, IEnumerable<DrawnAnswer> answers, ExpressionNames names,
        string model)
    {
        int square = Math.Max(1, Math.Min(image.Width, image.Height) / 300), margin = 2 * square;
        foreach ((PixelBox? given, Prediction prediction) in answers)
        {
            PixelBox box = given ?? new PixelBox(0, 0, image.Width, image.Height);
            int color = TimelinePlot.ColorOf(prediction.Class);
            foreach ((int x, int y, int w, int h) in new[]
            {
                (box.X, box.Y, box.Width, margin), (box.X, box.Y + box.Height - margin, box.Width, margin),
                (box.X, box.Y, margin, box.Height), (box.X + box.Width - margin, box.Y, margin, box.Height),
            })
                PixelFont.Fill(image, x, y, w, h, color);
            string text = string.Create(CultureInfo.InvariantCulture,
                $"{names.Of(prediction)} {100 * prediction.Probabilities[prediction.Class]:0} %");
            int width = PixelFont.WidthOf(text) * square + 2 * margin, height = PixelFont.Height * square + 2 * margin;
            // Above the box, or at its upper edge where there is no room; never beyond the picture's sides.
            int left = Math.Clamp(box.X, 0, Math.Max(0, image.Width - width)), top = Math.Max(0, box.Y - height);
            PixelFont.Fill(image, left, top, width, height, Background);
            PixelFont.Draw(image, left + margin, top + margin, text, square, White);
        }
        DrawModel(image, model, square);
    }

    /// <summary>Says at the lower left who has answered.</summary>
    private static void DrawModel(RgbImage image, string model, int square)
    {
        int margin = 2 * square, height = PixelFont.Height * square + 2 * margin;
        PixelFont.Fill(image, 0, image.Height - height, PixelFont.WidthOf(model) * square + 2 * margin, height,
            Background);
        PixelFont.Draw(image, margin, image.Height - height + margin, model, square, White);
    }
}
