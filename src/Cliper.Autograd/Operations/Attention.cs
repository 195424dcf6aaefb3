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
        int width = PartWidth(qkv, 3, heads, nameof(qkv)), tokens = qkv.Shape[1];
        var sizes = new Kernel.Sizes(qkv.Shape[0], heads, width / heads, tokens, tokens, causal);
        return Attend(sizes, Columns(0), Columns(1), Columns(2), null);

        Part Columns(int index) => new(qkv, index * width);
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
        int width = PartWidth(q, 1, heads, nameof(q));
        if (PartWidth(kv, 2, heads, nameof(kv)) != width || kv.Shape[0] != q.Shape[0])
            throw new ArgumentException($"kv is {kv.Shape}, expected [{q.Shape[0]}, keys, {2 * width}]", nameof(kv));
        var sizes = new Kernel.Sizes(q.Shape[0], heads, width / heads, q.Shape[1], kv.Shape[1], false);
        return Attend(sizes, new(q, 0), new(kv, 0), new(kv, width), keyLengths);
    }

    /// <summary>
    /// Cross-attention by <see cref="Kernel"/>; keeps q, k, v and one number a row and head for the backward pass.
    /// </summary>
    /// <param name="q">Queries, [samples, queries, width].</param>
    /// <param name="k">Keys, [samples, keys, width].</param>
    /// <param name="v">Values, of the shape of <paramref name="k"/>.</param>
    /// <param name="heads">Heads; their size is width / heads.</param>
    /// <returns>The shape of <paramref name="q"/>.</returns>
    /// <exception cref="ArgumentException">Shapes that do not fit.</exception>
    public Tensor Attention(Tensor q, Tensor k, Tensor v, int heads)
    {
        int width = PartWidth(q, 1, heads, nameof(q));
        if (PartWidth(k, 1, heads, nameof(k)) != width || k.Shape[0] != q.Shape[0] || v.Shape != k.Shape)
            throw new ArgumentException($"k is {k.Shape} and v {v.Shape}, expected both [{q.Shape[0]}, keys, {width}]",
                nameof(k));
        var sizes = new Kernel.Sizes(q.Shape[0], heads, width / heads, q.Shape[1], k.Shape[1], false);
        return Attend(sizes, new(q, 0), new(k, 0), new(v, 0), null);
    }

    private static int PartWidth(Tensor x, int parts, int heads, string name)
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

    /// <summary>Columns of a tensor from <paramref name="Offset"/> on, which are an operand.</summary>
    private readonly record struct Part(Tensor Whole, int Offset)
    {
        public Kernel.Operand Data => At(Whole.Data);

        public Kernel.Operand At(DeviceArray array) =>
            array.IsNull ? default : new(array, Offset, Whole.Shape.Width);

        public Kernel.OperandGradient GradientAt(GradientTarget target) =>
            target.IsNull ? default : new(target, Offset, Whole.Shape.Width);
    }

    private Tensor Attend(Kernel.Sizes sizes, Part q, Part k, Part v, Tensor? keyLengths)
    {
        Tensor output = NewActivation(new Shape(sizes.Samples, sizes.Queries, sizes.Heads * sizes.HeadSize));
        Part result = new(output, 0);
        bool record = Needs(q.Whole, k.Whole == q.Whole ? null : k.Whole, v.Whole == k.Whole ? null : v.Whole);
        DeviceArray logSumExp = record ? Device.Allocate(sizes.Statistics) : default;
        // Before the forward pass: should that refuse a key length, the tape frees the statistics.
        if (record)
            Record(output, () =>
            {
                GradientTarget dq = Target(q.Whole), dk = k.Whole == q.Whole ? dq : Target(k.Whole),
                    dv = v.Whole == k.Whole ? dk : Target(v.Whole);
                // The kernel gives keys and values their gradients together: one that nobody wants goes to a spare
                // array, and where one has a gradient already, the other begins with zero.
                DeviceArray spare = dk.IsNull == dv.IsNull ? default
                    : Device.Allocate(k.Whole.Shape.Count, k.Whole.Type);
                (dk, dv) = (dk.IsNull && !spare.IsNull ? new(spare, dv.Accumulate) : dk,
                    dv.IsNull && !spare.IsNull ? new(spare, dk.Accumulate) : dv);
                if (dk.Accumulate != dv.Accumulate)
                {
                    Device.Clear(dk.Accumulate ? dv.Array : dk.Array);
                    (dk, dv) = (dk with { Accumulate = true }, dv with { Accumulate = true });
                }
                Kernel.Backward(sizes, Inputs(), logSumExp, result.At(output.Gradient),
                    new(q.GradientAt(dq), k.GradientAt(dk), v.GradientAt(dv)), result.Data);
                Device.Free(spare);
            }, [q.Whole, k.Whole, v.Whole, keyLengths], logSumExp);
        Kernel.Forward(sizes, Inputs(), result.Data, logSumExp);
        return output;

        Kernel.Inputs Inputs() => new(q.Data, k.Data, v.Data, keyLengths?.Data ?? default);
    }
}
