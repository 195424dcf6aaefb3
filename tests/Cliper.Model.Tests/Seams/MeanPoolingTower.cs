using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Seams;

/// <summary>
/// A second kind of image tower, as small as can be: the mean over channels and rows, minus a running mean as BatchNorm
/// keeps one, times a projection. It has no patches.
/// </summary>
internal sealed class MeanPoolingTower : IImageTower
{
    private const string Projection = "visual.proj", RunningMean = "visual.running_mean";
    private const float Momentum = 0.5f;

    private readonly ParameterSet _parameters;
    private readonly ClipConfig _config;

    private MeanPoolingTower(ParameterSet parameters, ClipConfig config) =>
        (_parameters, _config) = (parameters, config);

    public ImageInput Input => _config.ImageInput with { PatchSize = _config.ImageSize };

    public IReadOnlyCollection<string> Buffers => [RunningMean];

    public bool IsTraining { get; set; }

    public bool RecomputeBlocks { get; set; }

    /// <summary>A CLIP with this tower and a random text tower of <paramref name="config"/>.</summary>
    public static ClipModel Create(Device device, ClipConfig config) => new(device, new Source(config),
        (parameters, shape) => new MeanPoolingTower(parameters, shape));

    public Tensor Forward(Tape tape, Tensor images, Action<string, Tensor>? observe = null)
    {
        int samples = images.Shape[0], size = _config.ImageSize;
        Tensor pooled = tape.Mean(images.Reshape(new Shape(samples, 3 * size, size)));
        if (IsTraining)
            Update(pooled.ToArray(), samples, size);
        Tensor mean = _parameters[RunningMean].Reshape(new Shape(1, size));
        Tensor means = tape.Gather(mean, tape.Own(Tensor.From(tape.Device, new int[samples], new Shape(samples))));
        return tape.MatMul(tape.Add(pooled, tape.Scale(means, -1)), _parameters[Projection]);
    }

    private void Update(float[] pooled, int samples, int size)
    {
        Tensor mean = _parameters[RunningMean];
        float[] values = mean.ToArray();
        for (int column = 0; column < size; column++)
        {
            float batch = Enumerable.Range(0, samples).Average(sample => pooled[sample * size + column]);
            values[column] += Momentum * (batch - values[column]);
        }
        mean.Device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), mean.Data);
        mean.MarkWritten();
    }

    /// <summary>The tensors of a CLIP in which those of the vision transformer are replaced.</summary>
    private sealed class Source(ClipConfig config) : IParameterSource
    {
        private readonly ClipWeights _weights = ClipWeights.Random(config, seed: 1);

        public ClipConfig Config => config;

        public IReadOnlyList<string> Names =>
            [Projection, RunningMean, .. _weights.Names.Where(name => !ClipModel.IsVision(name))];

        public Tensor ToTensor(Device device, string name)
        {
            if (!ClipModel.IsVision(name))
                return _weights.ToTensor(device, name);
            int size = config.ImageSize, width = config.EmbedSize;
            return name == RunningMean
                ? Tensor.From(device, new float[size], new Shape(size))
                : Tensor.From(device, [.. Enumerable.Range(0, size * width).Select(i => MathF.Sin(i))],
                    new Shape(size, width));
        }
    }
}
