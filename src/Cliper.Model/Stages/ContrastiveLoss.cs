using System.Runtime.InteropServices;
using Cliper.Autograd;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Stages;

/// <summary>
/// CLIP's objective (arXiv 2103.00020, figure 3): with logits l[i, j] = exp(logit_scale) cos(image i, caption j), the
/// mean of the cross-entropies over rows and over columns. Equal captions of a batch are all right answers, with equal
/// shares.
/// </summary>
internal static class ContrastiveLoss
{
    // CLIP's limit: logits are at most 100 times the cosine.
    private static readonly float MaxLogitScale = MathF.Log(100);

    /// <summary>Brings the temperature back to its limit if the last step led beyond.</summary>
    public static void LimitScale(ClipModel clip)
    {
        if (clip.Parameters["logit_scale"].Item() > MaxLogitScale)
            SetScale(clip, MaxLogitScale);
    }

    /// <summary>Sets the temperature, the divisor of the cosines, to what pre-training begins with: CLIP's
    /// 0.07.</summary>
    public static void SetInitialTemperature(ClipModel clip) => SetScale(clip, -MathF.Log(0.07f));

    /// <summary>The learned temperature.</summary>
    public static float TemperatureOf(ClipModel clip) => clip.Temperature;

    private static void SetScale(ClipModel clip, float logarithm)
    {
        Tensor scale = clip.Parameters["logit_scale"];
        scale.Device.Upload(MemoryMarshal.AsBytes(new ReadOnlySpan<float>(in logarithm)), scale.Data);
        scale.MarkWritten();
    }

    /// <summary>The loss of a batch, [1]. Each different caption is encoded once.</summary>
    /// <param name="tape">The step.</param>
    /// <param name="clip">Both towers.</param>
    /// <param name="imageFeatures">[B, D], not normalized.</param>
    /// <param name="captions">Token ids of each image's caption.</param>
    /// <param name="smoothing">Part of the right answers that is shared by all different captions alike.</param>
    public static Tensor Of(Tape tape, ClipModel clip, Tensor imageFeatures, IReadOnlyList<int[]> captions,
        float smoothing = 0)
    {
        int batch = captions.Count;
        var unique = new List<int[]>();
        var indexOf = new Dictionary<string, int>();
        var captionOf = new int[batch];
        for (int i = 0; i < batch; i++)
        {
            string key = string.Join(' ', captions[i]);
            if (!indexOf.TryGetValue(key, out captionOf[i]))
            {
                indexOf[key] = captionOf[i] = unique.Count;
                unique.Add(captions[i]);
            }
        }
        Tensor targets = tape.Own(Tensor.From(tape.Device, Targets(captionOf, smoothing), new Shape(batch, batch)));
        Tensor rows = tape.Own(Tensor.From(tape.Device, captionOf, new Shape(batch)));
        Tensor images = tape.L2Normalize(imageFeatures);
        Tensor texts = tape.Gather(tape.L2Normalize(clip.Text.Forward(tape, unique)), rows);
        Tensor scale = tape.Apply<Exp>(clip.Parameters["logit_scale"].Reshape(new Shape(1)));
        Tensor perImage = tape.Multiply(tape.MatMul(images, texts, transposeB: true), scale);
        Tensor perText = tape.Multiply(tape.MatMul(texts, images, transposeB: true), scale);
        return tape.Scale(tape.Add(tape.SoftmaxCrossEntropy(perImage, targets),
            tape.SoftmaxCrossEntropy(perText, targets)), 0.5f);
    }

    /// <summary>
    /// Row i shares 1 - smoothing evenly among the j with the caption of i, and the rest evenly among the different
    /// captions, each of which shares its part among those that have it.
    /// </summary>
    internal static float[] Targets(int[] captionOf, float smoothing)
    {
        int batch = captionOf.Length, captions = captionOf.Max() + 1;
        var counts = new int[captions];
        foreach (int caption in captionOf)
            counts[caption]++;
        var targets = new float[batch * batch];
        for (int i = 0; i < batch; i++)
            for (int j = 0; j < batch; j++)
                targets[i * batch + j] = ((captionOf[i] == captionOf[j] ? 1 - smoothing : 0) + smoothing / captions)
                    / counts[captionOf[j]];
        return targets;
    }
}
