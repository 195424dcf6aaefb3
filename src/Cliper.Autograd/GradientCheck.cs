using System.Runtime.InteropServices;

namespace Cliper.Autograd;

/// <summary>
/// Compares the gradients that a tape computes with central differences (f(x + h) - f(x - h)) / 2h.
/// </summary>
public static class GradientCheck
{
    /// <summary>Where and by how much a gradient differs most.</summary>
    /// <param name="Operand">Index of the operand.</param>
    /// <param name="Element">Flat index of the element.</param>
    /// <param name="Analytic">The value that the tape computed.</param>
    /// <param name="Numeric">The central difference.</param>
    /// <param name="Error">|Analytic - Numeric| over the operand's largest numeric entry (at least 1e-3).</param>
    public readonly record struct Worst(int Operand, long Element, float Analytic, float Numeric, float Error);

    /// <summary>
    /// The largest difference over all elements of all operands. In fp32 the difference itself is uncertain by about
    /// 2^-24 |f| / h from rounding and h² f'''/6 from truncation; h = 1e-2 balances the two for values about 1.
    /// </summary>
    /// <param name="function">Builds the output from the operands, any shape; called once for the gradient and twice an
    /// element.</param>
    /// <param name="operands">Tensors to differentiate by; their RequiresGrad is set.</param>
    /// <param name="h">Step.</param>
    /// <param name="seed">
    /// Seed of the fixed random weights that reduce the output to one number; it differs from the operands' seed.
    /// </param>
    public static Worst Run(Func<Tape, Tensor> function, IReadOnlyList<Tensor> operands, float h = 1e-2f,
        int seed = 12345)
    {
        float[] weights;
        foreach (Tensor operand in operands)
        {
            operand.RequiresGrad = true;
            operand.ClearGradient();
        }
        using (var tape = new Tape(operands[0].Device))
        {
            Tensor output = function(tape);
            var random = new Random(seed);
            weights = new float[output.Shape.Count];
            for (int i = 0; i < weights.Length; i++)
                weights[i] = random.NextSingle() * 2 - 1;
            output.Device.Upload(MemoryMarshal.AsBytes(weights.AsSpan()), output.GradientTarget().Array);
            tape.PlayBack();
        }

        Worst worst = default;
        for (int index = 0; index < operands.Count; index++)
        {
            Tensor operand = operands[index];
            float[] analytic = operand.HasGradient ? operand.Device.ToFloats(operand.Gradient)
                : new float[operand.Shape.Count];
            var numeric = new float[analytic.Length];
            float[] values = operand.ToArray();
            for (int element = 0; element < values.Length; element++)
            {
                float kept = values[element];
                values[element] = kept + h;
                double above = Evaluate(function, operand, values, weights);
                values[element] = kept - h;
                double below = Evaluate(function, operand, values, weights);
                values[element] = kept;
                numeric[element] = (float)((above - below) / (2.0 * h));
            }
            Write(operand, values);
            float largest = numeric.Length == 0 ? 0 : numeric.Max(MathF.Abs);
            for (int element = 0; element < values.Length; element++)
            {
                float error = MathF.Abs(analytic[element] - numeric[element]) / MathF.Max(largest, 1e-3f);
                if (error > worst.Error || float.IsNaN(error))
                    worst = new(index, element, analytic[element], numeric[element], float.IsNaN(error)
                        ? float.PositiveInfinity : error);
            }
        }
        return worst;
    }

    private static double Evaluate(Func<Tape, Tensor> function, Tensor operand, float[] values, float[] weights)
    {
        Write(operand, values);
        using var tape = new Tape(operand.Device, recording: false);
        float[] output = function(tape).ToArray();
        double sum = 0;
        for (int i = 0; i < output.Length; i++)
            sum += (double)output[i] * weights[i];
        return sum;
    }

    private static void Write(Tensor operand, float[] values)
    {
        operand.Device.Upload(MemoryMarshal.AsBytes(values.AsSpan()), operand.Data);
        operand.MarkWritten();
    }
}
