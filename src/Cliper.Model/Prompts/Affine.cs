using Cliper.Autograd;

namespace Cliper.Model.Prompts;

/// <summary>A linear layer whose result is fp32 on every device, as small trained layers need it.</summary>
internal static class Affine
{
    /// <summary>x Wᵀ + b.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="x">[B, in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out].</param>
    /// <returns>[B, out].</returns>
    public static Tensor Apply(Tape tape, Tensor x, Tensor weight, Tensor bias)
    {
        int rows = x.Shape[0];
        // A row of one is gathered for each sample, and its gradient adds up over them.
        Tensor biases = tape.Gather(bias.Reshape(new Shape(1, (int)bias.Shape.Count)),
            tape.Own(Tensor.From(tape.Device, new int[rows], new Shape(rows))));
        return tape.Add(tape.MatMul(x, weight, transposeB: true), biases);
    }
}
