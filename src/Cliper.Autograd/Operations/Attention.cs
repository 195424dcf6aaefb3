using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.Attention;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// Self-attention by <see cref="Kernel"/>; keeps qkv and one number a row and head for the backward pass.
    /// </summary>
    /// <param name="qkv">Queries, keys and values side by side, [samples, tokens, 3 width].</param>
    /// <param name="heads">Heads; their size is width / heads.</param>
    /// <param name="causal">Whether a token sees only itself and those before it.</param>
    /// <returns>[samples, tokens, width].</returns>
    /// <exception cref="ArgumentException">The last axis is not three widths that divide into the heads.</exception>
    public Tensor Attention(Tensor qkv, int heads, bool causal)
    {
        int width = Part(qkv, 3, heads, nameof(qkv)), tokens = qkv.Shape[1];
        var sizes = new Kernel.Sizes(qkv.Shape[0], heads, width / heads, tokens, tokens, causal);
        return Attend(sizes, qkv, Columns(0), qkv, Columns(1), Columns(2), null);

        (int, int) Columns(int index) => (index * width, 3 * width);
    }

    /// <summary>
    /// Cross-attention by <see cref="Kernel"/>; keeps q, kv and one number a row and head for the backward pass.
    /// </summary>
    /// <param name="q">Queries, [samples, queries, width].</param>
    /// <param name="kv">Keys and values side by side, [samples, keys, 2 width].</param>
    /// <param name="heads">Heads; their size is width / heads.</param>
    /// <param name="keyLengths">int32 [samples]: sample n sees keys [0, keyLengths[n]), at least one; null means
    /// all.</param>
    /// <returns>The shape of <paramref name="q"/>.</returns>
    /// <exception cref="ArgumentException">Shapes that do not fit, or a key length outside [1, keys].</exception>
    public Tensor Attention(Tensor q, Tensor kv, int heads, Tensor? keyLengths = null)
    {
        int width = Part(q, 1, heads, nameof(q));
        if (Part(kv, 2, heads, nameof(kv)) != width || kv.Shape[0] != q.Shape[0])
            throw new ArgumentException($"kv is {kv.Shape}, expected [{q.Shape[0]}, keys, {2 * width}]", nameof(kv));
        var sizes = new Kernel.Sizes(q.Shape[0], heads, width / heads, q.Shape[1], kv.Shape[1], false);
        return Attend(sizes, q, (0, width), kv, (0, 2 * width), (width, 2 * width), keyLengths);
    }

    private static int Part(Tensor x, int parts, int heads, string name)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(heads, 1);
        if (x.Shape.Rank != 3 || x.Shape.Width % (parts * heads) != 0)
        {
            string width = parts == 1 ? "width" : $"{parts} width";
            throw new ArgumentException(
                $"{name} is {x.Shape}, expected [samples, rows, {width}] with a width that {heads} heads divide", name);
        }
        return x.Shape.Width / parts;
    }

    // The operands are columns of x and of y, each given as (offset, stride).
    private Tensor Attend(Kernel.Sizes sizes, Tensor x, (int, int) q, Tensor y, (int, int) k, (int, int) v,
        Tensor? keyLengths)
    {
        int width = sizes.Heads * sizes.HeadSize;
        Tensor output = NewActivation(new Shape(sizes.Samples, sizes.Queries, width));
        bool record = Needs(x, y);
        DeviceArray logSumExp = record ? Device.Allocate(sizes.Statistics) : default;
        // Before the forward pass: should that refuse a key length, the tape frees the statistics.
        if (record)
            Record(output, () =>
            {
                GradientTarget dx = Target(x), dy = y == x ? dx : Target(y);
                Kernel.Backward(sizes, Inputs(), logSumExp, At(output.Gradient, (0, width)),
                    new(GradientAt(dx, q), GradientAt(dy, k), GradientAt(dy, v)), At(output.Data, (0, width)));
            }, [x, y, keyLengths], logSumExp);
        Kernel.Forward(sizes, Inputs(), At(output.Data, (0, width)), logSumExp);
        return output;

        Kernel.Inputs Inputs() => new(At(x.Data, q), At(y.Data, k), At(y.Data, v), keyLengths?.Data ?? default);
        static Kernel.Operand At(DeviceArray array, (int Offset, int Stride) columns) =>
            new(array, columns.Offset, columns.Stride);
        static Kernel.OperandGradient GradientAt(GradientTarget target, (int Offset, int Stride) columns) =>
            new(target, columns.Offset, columns.Stride);
    }
}
