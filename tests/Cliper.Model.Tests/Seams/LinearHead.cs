using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;

namespace Cliper.Model.Tests.Seams;

/// <summary>A second prompt method that has no prompts: logits = f W^T, with features as they are.</summary>
internal sealed class LinearHead(Device device, int classes, int width) : IPromptLearner
{
    private readonly Tensor _weight = Tensor.From(device, new float[classes * width], new Shape(classes, width));

    public string Method => "linear-head";

    public int Classes => classes;

    public int PromptsPerClass => 1;

    public bool DependsOnImage => false;

    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters => [("head.weight", _weight)];

    public IReadOnlyList<(string Key, object Value)> Metadata => [];

    public Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures) => _weight;

    public Tensor Logits(Tape tape, Tensor imageFeatures, Tensor classFeatures, float temperature) =>
        tape.MatMul(imageFeatures, classFeatures, transposeB: true);

    public void Dispose() => _weight.Dispose();
}

/// <summary>
/// A third one whose prompts depend on the image, as CoCoOp's do: a class's feature is a learned vector plus the
/// image's own feature times a learned factor of each dimension.
/// </summary>
internal sealed class ConditionalPrompts(Device device, int classes, int width) : IPromptLearner
{
    private readonly Tensor _vectors = Tensor.From(device,
        [.. Enumerable.Range(0, classes * width).Select(i => MathF.Cos(i))], new Shape(classes, width));

    public string Method => "conditional";

    public int Classes => classes;

    public int PromptsPerClass => 1;

    public bool DependsOnImage => true;

    public IReadOnlyList<(string Name, Tensor Tensor)> Parameters => [("conditional.vectors", _vectors)];

    public IReadOnlyList<(string Key, object Value)> Metadata => [];

    public Tensor ClassFeatures(Tape tape, ClipModel clip, Tensor? imageFeatures)
    {
        ArgumentNullException.ThrowIfNull(imageFeatures);
        int batch = imageFeatures.Shape[0];
        Tensor Rows(Tensor table, Func<int, int> row) => tape.Gather(table, tape.Own(Tensor.From(tape.Device,
            [.. Enumerable.Range(0, batch * classes).Select(row)], new Shape(batch * classes))));
        Tensor vectors = Rows(_vectors, index => index % classes),
            images = Rows(imageFeatures, index => index / classes);
        return tape.L2Normalize(tape.Add(vectors, images)).Reshape(new Shape(batch, classes, width));
    }

    public Tensor Logits(Tape tape, Tensor imageFeatures, Tensor classFeatures, float temperature)
    {
        int batch = imageFeatures.Shape[0];
        Tensor rows = tape.L2Normalize(imageFeatures).Reshape(new Shape(batch, 1, width));
        return tape.MatMul(rows, classFeatures, transposeB: true,
            scale: 1 / temperature).Reshape(new Shape(batch, classes));
    }

    public void Dispose() => _vectors.Dispose();
}
