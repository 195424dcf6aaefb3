using Cliper.Autograd;
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
        var shape = new Shape(batch.Count, model.Clip.Config.EmbedSize);
        if (batch.Features is { } kept)
            return tape.Own(Tensor.From(tape.Device, kept, shape));
        Tensor features = tape.New(shape);
        // The frozen image tower needs no tape: nothing of it is kept.
        using var frozen = new Tape(tape.Device, recording: false);
        tape.Device.Copy(model.ImageFeatures(frozen, batch.TakePixels(frozen), batch.Frames).Data, features.Data);
        return features;
    }
}
