using Cliper.Autograd;
using Cliper.Kernels.Memory;

namespace Cliper.Model.Clip;

/// <summary>Gives a CLIP its configuration and its tensors, from a file or from memory.</summary>
public interface IParameterSource
{
    /// <summary>Configuration of the model.</summary>
    ClipConfig Config { get; }

    /// <summary>Names of all tensors in OpenAI's naming, in the order of the computation.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>Makes a tensor on a device; the caller owns it.</summary>
    /// <exception cref="KeyNotFoundException">The source has no such tensor.</exception>
    Tensor ToTensor(Device device, string name);
}
