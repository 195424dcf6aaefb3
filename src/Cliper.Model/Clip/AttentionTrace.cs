using System.Numerics.Tensors;
using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Tensor = Cliper.Autograd.Tensor;

namespace Cliper.Model.Clip;

/// <summary>An image tower whose attention can be looked at.</summary>
internal interface ITracedTower
{
    /// <summary>Computes the features of images as <see cref="IImageTower.Forward"/> does, to rounding.</summary>
    /// <param name="tape">A recording tape.</param>
    /// <param name="images">Input of <see cref="IImageTower.Forward"/>; no parameter, and no view.</param>
    /// <param name="trace">Keeps what every attention worked with.</param>
    /// <returns>[N, D], projected and not normalized.</returns>
    Tensor Forward(Tape tape, Tensor images, AttentionTrace trace);
}

/// <summary>An attention of a tower: its operands, [N, rows, width] each, and how a score hangs on its
/// result.</summary>
/// <param name="Queries">Queries; one row a sample where one token asks.</param>
/// <param name="Keys">Keys.</param>
/// <param name="Values">Values.</param>
/// <param name="Heads">Heads, which share the width.</param>
/// <param name="IsSelf">Whether the tokens ask one another and a residual connection goes around the attention.</param>
/// <param name="Probe">Zeros that were added to the result, so that their gradient is that of the result.</param>
internal sealed record TracedAttention(float[] Queries, float[] Keys, float[] Values, int Heads, bool IsSelf,
    Tensor Probe)
{
    /// <summary>Numbers of a row.</summary>
    public int Width => Probe.Shape.Width;
}

/// <summary>
/// Keeps the operands of all attentions of one forward pass. A tensor of zeros is added to the result of each: after
/// the backward pass its gradient is that of the attention's result, which a tape frees otherwise.
/// </summary>
internal sealed class AttentionTrace
{
    private const float HalfScale = 1024;

    private readonly List<TracedAttention> _attentions = [];
    private float _scale = 1;
    private bool _isNhwc;
    private Tensor? _pixels;

    /// <summary>The attentions, from the first to the last.</summary>
    public IReadOnlyList<TracedAttention> Attentions => _attentions;

    /// <summary>Gradient of the score by the pixels, [N, 3, size, size]; zeros without a backward pass.</summary>
    /// <param name="size">Side of the images.</param>
    public float[] PixelGradient(int size)
    {
        Tensor pixels = _pixels ?? throw new InvalidOperationException("no image was traced");
        float[] gradient = GradientOf(pixels);
        if (pixels.Shape.Rank == 4 && !_isNhwc)
            return gradient;
        // Pixels whose channels lie together are patches of one pixel.
        int patch = _isNhwc ? 1 : (int)Math.Round(Math.Sqrt(pixels.Shape.Width / 3)), columns = size / patch,
            plane = size * size;
        var planes = new float[gradient.Length];
        for (int at = 0; at < planes.Length; at++)
        {
            (int image, int channel) = (at / (3 * plane), at / plane % 3);
            (int y, int x) = (at % plane / size, at % size);
            planes[at] = gradient[3 * image * plane + (y / patch * columns + x / patch) * 3 * patch * patch
                + (channel * patch + y % patch) * patch + x % patch];
        }
        return planes;
    }

    /// <summary>Gradient of the score by the result of each attention.</summary>
    public IEnumerable<float[]> Gradients => _attentions.Select(attention => GradientOf(attention.Probe));

    /// <summary>Plays a score back.</summary>
    /// <param name="tape">The step.</param>
    /// <param name="score">The score, one number.</param>
    public void Backward(Tape tape, Tensor score)
    {
        // 16-bit gradients of a probability's size would underflow; a power of two changes no other digit.
        _scale = tape.Device.Activations == ElementType.Float32 ? 1 : HalfScale;
        tape.Backward(score, _scale);
    }

    private float[] GradientOf(Tensor tensor)
    {
        if (!tensor.HasGradient)
            return new float[tensor.Shape.Count];
        float[] gradient = tensor.Device.ToFloats(tensor.Gradient);
        TensorPrimitives.Divide(gradient, _scale, gradient);
        return gradient;
    }

    /// <summary>Watches images that a tower takes as they are.</summary>
    /// <param name="images">The images, from now on with a gradient.</param>
    internal Tensor Watch(Tensor images)
    {
        images.RequiresGrad = true;
        return _pixels = images;
    }

    /// <summary>Watches a feature map of pixels, NHWC.</summary>
    internal Tensor Watch(Tape tape, Tensor pixels)
    {
        _isNhwc = true;
        return tape.Add(pixels, _pixels = Zeros(tape, pixels));
    }

    /// <summary>Keeps a self-attention.</summary>
    /// <param name="tape">The step.</param>
    /// <param name="qkv">Queries, keys and values side by side, [N, T, 3 W].</param>
    /// <param name="attended">The result, [N, T, W].</param>
    /// <param name="heads">Attention heads.</param>
    /// <returns>The result to go on with.</returns>
    internal Tensor KeepSelf(Tape tape, Tensor qkv, Tensor attended, int heads)
    {
        float[] all = qkv.ToArray();
        int width = attended.Shape.Width;
        return Keep(tape, (Columns(0), Columns(1), Columns(2)), attended, heads, isSelf: true);

        float[] Columns(int part)
        {
            var columns = new float[all.Length / 3];
            for (int row = 0; row < columns.Length / width; row++)
                all.AsSpan((3 * row + part) * width, width).CopyTo(columns.AsSpan(row * width));
            return columns;
        }
    }

    /// <summary>Keeps a cross-attention.</summary>
    /// <param name="tape">The step.</param>
    /// <param name="operands">Queries, keys and values, [N, rows, W].</param>
    /// <param name="attended">The result, of the shape of the queries.</param>
    /// <param name="heads">Attention heads.</param>
    /// <returns>The result to go on with.</returns>
    internal Tensor KeepCross(Tape tape, (Tensor Queries, Tensor Keys, Tensor Values) operands, Tensor attended,
        int heads) => Keep(tape, (operands.Queries.ToArray(), operands.Keys.ToArray(), operands.Values.ToArray()),
            attended, heads, isSelf: false);

    private Tensor Keep(Tape tape, (float[] Queries, float[] Keys, float[] Values) operands, Tensor attended, int heads,
        bool isSelf)
    {
        Tensor probe = Zeros(tape, attended);
        _attentions.Add(new TracedAttention(operands.Queries, operands.Keys, operands.Values, heads, isSelf, probe));
        return tape.Add(attended, probe);
    }

    private static Tensor Zeros(Tape tape, Tensor like)
    {
        Tensor zeros = tape.Own(new Tensor(like.Device, like.Shape, like.Type));
        zeros.Device.Clear(zeros.Data);
        zeros.RequiresGrad = true;
        return zeros;
    }
}
