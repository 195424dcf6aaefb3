using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <summary>
/// A second's proof that this machine computes what it should: the gradients of the operations that a block of CLIP is
/// made of, against finite differences.
/// </summary>
public static class SelfTest
{
    // Central differences in fp32 with h = 1e-2, see GradientCheck: 1e-5 of the output's sum from rounding, 2e-5 times
    // the third derivative from truncation, over the largest entry.
    private const float Bound = 5e-3f;

    /// <summary>Result of one check.</summary>
    /// <param name="Name">The operation.</param>
    /// <param name="Error">Largest difference over the largest entry of the gradient.</param>
    public readonly record struct Result(string Name, float Error)
    {
        /// <summary>Whether the error is within its bound.</summary>
        public bool Passed => Error < Bound;
    }

    /// <summary>Runs every check on <paramref name="device"/>.</summary>
    public static IReadOnlyList<Result> Run(Device device)
    {
        const int Batch = 2, Tokens = 5, Width = 12, Heads = 2;
        return
        [
            Check("layer norm", [[Batch * Tokens, Width], [Width], [Width]], (tape, t) =>
            tape.LayerNorm(t[0], t[1], t[2])),
            Check("linear, QuickGELU", [[Batch * Tokens, Width], [Width, Width], [Width]],
                (tape, t) => tape.Linear(t[0], t[1], t[2], Activation.QuickGelu)),
            Check("attention", [[Batch, Tokens, 3 * Width]], (tape, t) => tape.Attention(t[0], Heads, causal: false)),
            Check("attention, causal", [[Batch, Tokens, 3 * Width]], (tape, t) =>
            tape.Attention(t[0], Heads, causal: true)),
            Check("cosine", [[Batch, Width], [Tokens, Width]],
                (tape, t) => tape.MatMul(tape.L2Normalize(t[0]), tape.L2Normalize(t[1]), transposeB: true)),
        ];

        Result Check(string name, int[][] shapes, Func<Tape, Tensor[], Tensor> function)
        {
            Tensor[] operands = [.. shapes.Select(Random)];
            try
            {
                return new Result(name, GradientCheck.Run(tape => function(tape, operands), operands).Error);
            }
            finally
            {
                foreach (Tensor operand in operands)
                    operand.Dispose();
            }
        }

        Tensor Random(int[] axes, int seed)
        {
            var shape = new Shape(axes);
            var random = new Random(seed);
            float[] values = [.. Enumerable.Range(0, (int)shape.Count).Select(_ => random.NextSingle() * 2 - 1)];
            return Tensor.From(device, values, shape);
        }
    }
}
