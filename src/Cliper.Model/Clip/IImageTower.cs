using Cliper.Autograd;

namespace Cliper.Model.Clip;

/// <summary>Form of the images that an image tower takes.</summary>
/// <param name="ImageSize">Side of the square image, in pixels.</param>
/// <param name="PatchSize">Side p of the squares in which a GPU may lay the pixels out, [N, (size / p)², 3 p p]. With p
/// = size that layout is the one of planes, [N, 3, size, size], which every tower takes; with p = 1 it is
/// NHWC.</param>
/// <param name="Mean">Subtracted from pixels in [0, 1].</param>
/// <param name="Std">Divisor of the difference.</param>
public readonly record struct ImageInput(int ImageSize, int PatchSize, ChannelValues Mean, ChannelValues Std);

/// <summary>
/// An image tower: images to features of the space that CLIP shares with its texts. Its parameters stand in the model's
/// <see cref="ParameterSet"/> under names that begin with "visual.".
/// </summary>
public interface IImageTower
{
    /// <summary>Form of the images that <see cref="Forward"/> takes.</summary>
    ImageInput Input { get; }

    /// <summary>
    /// Names of tensors that are saved with the parameters but have no gradient, such as the running statistics of
    /// BatchNorm. The tower itself updates them, in <see cref="Forward"/> while <see cref="IsTraining"/>.
    /// </summary>
    IReadOnlyCollection<string> Buffers { get; }

    /// <summary>Whether <see cref="Forward"/> works as in training (BatchNorm: with the batch's own statistics); false
    /// for inference, which is how a tower begins.</summary>
    bool IsTraining { get; set; }

    /// <summary>Whether the backward pass computes each block again instead of keeping its activations.</summary>
    bool RecomputeBlocks { get; set; }

    /// <summary>Computes the features of images.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="images">Normalized pixels, [N, 3, size, size], or as the patches of <see cref="Input"/>.</param>
    /// <param name="observe">Receives name and value of every intermediate result, for tests and analysis; null for
    /// none.</param>
    /// <returns>[N, D], projected and not normalized.</returns>
    /// <exception cref="ArgumentException">The images have another size than the model.</exception>
    Tensor Forward(Tape tape, Tensor images, Action<string, Tensor>? observe = null);
}
