using Kernel = Cliper.Kernels.Operations.Add;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// Runs <paramref name="block"/> without keeping its activations: the backward pass runs it again from
    /// <paramref name="input"/> and plays that back. Costs the block's forward a second time and gives the same bits.
    /// </summary>
    /// <param name="block">
    /// Computes the result from the input on the tape it is given, by operations of that tape alone; it must do the
    /// same both times. Parameters that it reads from outside get their gradients as usual.
    /// </param>
    /// <param name="input">The block's input; kept for the backward pass.</param>
    /// <returns>The block's result.</returns>
    /// <exception cref="InvalidOperationException">The block returned something that it did not make.</exception>
    public Tensor Checkpoint(Func<Tape, Tensor, Tensor> block, Tensor input)
    {
        using var silent = new Tape(Device, recording: false)
        {
            KeepsPackedWeights = KeepsPackedWeights,
            IsRecomputation = IsRecomputation
        };
        Tensor result = block(silent, input), output = result.Root;
        if (!silent._made.Remove(output))
            throw new InvalidOperationException("a recomputed block must return a tensor that it made on its tape");
        Own(output);
        _metParameter |= silent._metParameter;
        if (Recording && silent._metParameter)
            Record(output, () =>
            {
                using var again = new Tape(Device) { IsRecomputation = true };
                Tensor repeated = block(again, input).Root;
                if (!output.TryMoveGradientTo(repeated))
                    Kernel.Backward(output.Gradient, repeated.GradientTarget());
                again.PlayBack();
            }, [input]);
        return result;
    }
}
