using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Weights;

namespace Cliper.Model.Faces;

/// <summary>
/// The convolutional network of BlazeFace's "back" model (Bazarevsky et al. 2019, arXiv 1907.05047): 256 x 256 pixels
/// in, for each of 896 anchors a score and 16 numbers out. On one thread; not for several at once.
/// </summary>
/// <remarks>
/// A 5 x 5 convolution of stride 2, then 32 blocks of a depthwise 3 x 3 and a pointwise convolution. All but the last
/// add what they were given, which a block of stride 2 pools by 2 x 2 and pads with channels of zeros, and end in a
/// ReLU. The pointwise product accumulates onto that sum in place.
/// </remarks>
internal sealed class BlazeFaceNetwork : IDisposable
{
    /// <summary>Rows and columns of the input.</summary>
    public const int Side = 256;

    /// <summary>Channels of the input.</summary>
    public const int Colors = 3;

    /// <summary>Numbers that describe a box and its points.</summary>
    public const int BoxNumbers = 16;

    private const int StemKernel = 5, BlockKernel = 3, BlocksPerLevel = 8, Levels = 5;

    private readonly CpuDevice _device = new(threads: 1);
    private readonly List<IDisposable> _packed = [];
    private readonly List<DeviceArray> _arrays = [];
    private readonly Layer _stem;
    private readonly Block[][] _levels;
    private readonly Head[] _heads;
    private readonly DeviceArray _input, _depthwise, _pooled;
    private readonly DeviceArray[] _maps;

    /// <summary>A convolution: packed weights and the bias.</summary>
    private readonly record struct Layer(PackedMatrix Weight, DeviceArray Bias)
    {
        public int Features => Weight.Columns;
    }

    /// <summary>A depthwise and a pointwise convolution.</summary>
    private sealed record Block(DeviceArray Depthwise, Layer Pointwise, int Stride, bool Skips);

    /// <summary>The answers for the cells of the feature map that a level leaves.</summary>
    private sealed record Head(int Level, Layer Scores, Layer Boxes, DeviceArray ScoreOutput, DeviceArray BoxOutput);

    /// <summary>Reads the weights.</summary>
    /// <param name="weights">The file as weights-tools/convert_blazeface.py writes them.</param>
    /// <exception cref="InputException">A tensor is missing or has another shape.</exception>
    public BlazeFaceNetwork(TensorSource weights)
    {
        _stem = ReadLayer(weights, "stem", StemKernel, Colors);
        int channels = _stem.Features, blocks = 0;
        _levels = new Block[Levels][];
        for (int level = 0; level < Levels; level++)
        {
            // The first block of a level halves the map, but for the first level; the last level is that block alone.
            bool isLast = level == Levels - 1;
            _levels[level] = new Block[level == 0 ? BlocksPerLevel - 1 : isLast ? 1 : BlocksPerLevel];
            for (int i = 0; i < _levels[level].Length; i++)
            {
                string name = $"blocks.{blocks++}";
                DeviceArray depthwise = Read(weights, $"{name}.depthwise", BlockKernel, BlockKernel, channels);
                Layer pointwise = ReadLayer(weights, $"{name}.pointwise", 1, channels);
                _levels[level][i] = new Block(depthwise, pointwise, level > 0 && i == 0 ? 2 : 1, !isLast);
                channels = pointwise.Features;
            }
        }
        _heads = [ReadHead(weights, Levels - 2, channels), ReadHead(weights, Levels - 1, channels)];
        long largest = (long)Cells(0) * Cells(0) * _stem.Features;
        _input = Keep(_device.Allocate(Side * Side * Colors));
        (_depthwise, _pooled) = (Keep(_device.Allocate(largest)), Keep(_device.Allocate(largest / 4)));
        _maps = [Keep(_device.Allocate(largest)), Keep(_device.Allocate(largest))];
    }

    /// <summary>[256, 256, 3], to be filled before <see cref="Run()"/>: from -1 (black) to 1 (white).</summary>
    public Span<float> Input => _input.AsSpan<float>();

    /// <summary>Cells of a side for each head, the finer first.</summary>
    public IEnumerable<int> HeadCells => _heads.Select(head => Cells(head.Level));

    /// <summary>Scores of a head's anchors, cell by cell, before the sigmoid.</summary>
    public ReadOnlySpan<float> Scores(int head) => _heads[head].ScoreOutput.AsSpan<float>();

    /// <summary>
    /// [anchors, 16] of a head: offset of the center and size, then six points, in pixels of the input.
    /// </summary>
    public ReadOnlySpan<float> Boxes(int head) => _heads[head].BoxOutput.AsSpan<float>();

    /// <summary>Computes scores and boxes of the input.</summary>
    public void Run()
    {
        FeatureMap map = new(1, Side, Side, Colors);
        var stem = SlidingWindow.Same(map, StemKernel, 2);
        map = stem.Output(_stem.Features);
        DeviceArray x = _maps[0].Slice(0, map.Count);
        Convolution.Forward(_input, _stem.Weight, x, stem, Activation(_stem));
        for (int level = 0; level < Levels; level++)
        {
            foreach (Block block in _levels[level])
                (x, map) = Run(block, x, map, _maps[level % 2]);
            foreach (Head head in _heads)
                if (head.Level == level)
                {
                    Run(head.Scores, x, map, head.ScoreOutput);
                    Run(head.Boxes, x, map, head.BoxOutput);
                }
        }
    }

    /// <summary>Runs a block: in place where it keeps the map's size, else into <paramref name="target"/>.</summary>
    private (DeviceArray Y, FeatureMap Map) Run(Block block, DeviceArray x, FeatureMap map, DeviceArray target)
    {
        var window = SlidingWindow.Same(map, BlockKernel, block.Stride);
        FeatureMap between = window.Output(map.Channels), output = between with { Channels = block.Pointwise.Features };
        DeviceArray depthwise = _depthwise.Slice(0, between.Count), y = block.Stride == 1 ? x
            : target.Slice(0, output.Count);
        DepthwiseConvolution.Forward(x, block.Depthwise, depthwise, window);
        if (block.Stride > 1 && block.Skips)
            PoolAndPad(x, map, y, output);
        Convolution.Forward(depthwise, block.Pointwise.Weight, y, Pointwise(between), Activation(block.Pointwise),
            block.Skips);
        return (y, output);
    }

    private static void Run(Layer layer, DeviceArray x, FeatureMap map, DeviceArray y) =>
        Convolution.Forward(x, layer.Weight, y, Pointwise(map), new BiasEpilogue(layer.Bias));

    private static SlidingWindow Pointwise(FeatureMap map) => SlidingWindow.Padded(map, 1, 1, 0);

    private static ActivationEpilogue<Relu> Activation(Layer layer) => new(layer.Bias, default, layer.Features);

    /// <summary>The largest of 2 x 2 pixels, with channels of zeros up to those of the output.</summary>
    private void PoolAndPad(DeviceArray x, FeatureMap map, DeviceArray y, FeatureMap output)
    {
        if (map.Channels == output.Channels)
        {
            MaxPool.Forward(x, y, map);
            return;
        }
        DeviceArray pooled = _pooled.Slice(0, output.Pixels * map.Channels);
        MaxPool.Forward(x, pooled, map);
        Span<float> from = pooled.AsSpan<float>(), to = y.AsSpan<float>();
        to.Clear();
        for (int pixel = 0; pixel < output.Pixels; pixel++)
            from.Slice(pixel * map.Channels, map.Channels).CopyTo(to[(pixel * output.Channels)..]);
    }

    // 128 of a side after the stem, half of them a level later.
    private static int Cells(int level) => Side / 2 >> level;

    private Head ReadHead(TensorSource weights, int level, int channels)
    {
        string name = $"cells{Cells(level)}";
        Layer scores = ReadLayer(weights, $"{name}.scores", 1, channels), boxes = ReadLayer(weights, $"{name}.boxes",
            1, channels);
        if (boxes.Features != scores.Features * BoxNumbers)
            throw new InputException(
                $"{weights.Path}: {name} has {scores.Features} scores and {boxes.Features} numbers of boxes, "
                + $"expected {BoxNumbers} for each score");
        long pixels = (long)Cells(level) * Cells(level);
        return new Head(level, scores, boxes, Keep(_device.Allocate(pixels * scores.Features)),
            Keep(_device.Allocate(pixels * boxes.Features)));
    }

    private Layer ReadLayer(TensorSource weights, string name, int kernel, int channels)
    {
        TensorEntry bias = weights.Entry($"{name}.bias");
        int features = bias.Shape is [> 0 and < 1 << 16] ? (int)bias.Shape[0]
            : throw new InputException($"{weights.Path}: {name}.bias is {bias}, expected one number a feature");
        DeviceArray weight = Read(weights, $"{name}.weight", features, kernel, kernel, channels);
        var packed = PackedMatrix.Pack(new Matrix(weight, features, kernel * kernel * channels).Transposed);
        _packed.Add(packed);
        return new Layer(packed, Read(weights, $"{name}.bias", features));
    }

    private DeviceArray Read(TensorSource weights, string name, params long[] shape)
    {
        TensorEntry entry = weights.Entry(name);
        if (!entry.Shape.SequenceEqual(shape))
            throw new InputException($"{weights.Path}: {name} is {entry}, expected {TensorEntry.ShapeText(shape)}");
        return Keep(_device.From(weights.ReadFiniteFloats(name)));
    }

    private DeviceArray Keep(DeviceArray array)
    {
        _arrays.Add(array);
        return array;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IDisposable packed in _packed)
            packed.Dispose();
        foreach (DeviceArray array in _arrays)
            _device.Free(array);
        _device.Dispose();
    }
}
