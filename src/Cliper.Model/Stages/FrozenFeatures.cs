using Cliper.Autograd;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;

namespace Cliper.Model.Stages;

/// <summary>Features of an image tower that is not trained.</summary>
internal static class FrozenFeatures
{
    /// <summary>The features of a batch: those it brings, or what the tower makes of its pictures.</summary>
    /// <param name="tape">The tape of the step, which keeps nothing of the tower.</param>
    /// <param name="model">The model.</param>
    /// <param name="batch">The samples.</param>
    /// <returns>[B, D], not normalized.</returns>
    public static Tensor Of(Tape tape, CliperModel model, Batch batch)
    {
        if (batch.Features is not null)
            return SplitFeatures.Of(tape, model, batch);
        // The frozen image tower needs no tape: nothing of it is kept.
        using var frozen = new Tape(tape.Device, recording: false);
        return Of(tape, model, batch.TakePixels(frozen), batch.Frames);
    }

    /// <summary>The features of images or clips.</summary>
    /// <param name="tape">The tape of the step, which keeps nothing of the tower.</param>
    /// <param name="model">The model.</param>
    /// <param name="images">Input of the image tower, B * frames.</param>
    /// <param name="frames">Frames of each sample.</param>
    /// <returns>[B, D], not normalized.</returns>
    public static Tensor Of(Tape tape, CliperModel model, Tensor images, int frames)
    {
        Tensor features = tape.New(new Shape(images.Shape[0] / frames, model.Clip.Config.EmbedSize));
        using var frozen = new Tape(tape.Device, recording: false);
        tape.Device.Copy(model.ImageFeatures(frozen, images, frames).Data, features.Data);
        return features;
    }
}
