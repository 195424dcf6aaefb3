using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <content>The operations of ResNets.</content>
public sealed partial class OperationBenchmark
{
    private const int PooledSide = 2;

    private IEnumerable<Case> Convolutions()
    {
        foreach (BenchmarkSizes.ConvolutionShape shape in sizes.Convolutions)
        {
            using var scope = _arrays.BeginScope();
            SlidingWindow window = shape.Window;
            int features = shape.Features, pixels = checked((int)window.Input.Pixels);
            BenchmarkArray x = Numbers(pixels, shape.Channels), weight = Numbers(features, window.Elements),
                y = Numbers(pixels, features), dx = Numbers(pixels, shape.Channels),
                dweight = Floats(features, window.Elements);
            string name = $"{shape.Images}x{shape.Side}x{shape.Side}x{shape.Channels}->{features}, "
                + $"{shape.Kernel}x{shape.Kernel}";
            double flops = 2.0 * pixels * features * window.Elements;
            long bytes = x.Bytes + y.Bytes + weight.Bytes;
            yield return Compute("conv forward", name, flops, () =>
                Convolution.Forward(x, weight, y, window, features, default(NoEpilogue)), bytes);
            yield return Compute("conv gradient by the input", name, flops, () =>
                Convolution.BackwardInput(weight, y, (DeviceArray)dx, window, features), bytes);
            yield return Compute("conv gradient by the weight", name, flops, () =>
                Convolution.BackwardWeight(x, y, (DeviceArray)dweight, window, features), bytes);
        }
        foreach (BenchmarkSizes.ConvolutionShape shape in sizes.Convolutions.DistinctBy(
            shape => (shape.Images, shape.Side, shape.Features)))
            foreach (Case measure in Normalizations(new(shape.Images, shape.Side, shape.Side, shape.Features)))
                yield return measure;
    }

    private IEnumerable<Case> Normalizations(FeatureMap map)
    {
        using var scope = _arrays.BeginScope();
        int pixels = checked((int)map.Pixels), channels = map.Channels;
        BenchmarkArray x = Numbers(pixels, channels), y = Numbers(pixels, channels), residual = Numbers(pixels,
            channels), dx = Numbers(pixels, channels), gamma = Floats(channels), beta = Floats(channels),
            mean = Floats(channels), variance = Ones(channels), dgamma = Floats(channels), dbeta = Floats(channels);
        string name = $"{map.Images}x{map.Height}x{map.Width}x{channels}";
        BatchNorm.Parameters Parameters() => new(gamma, beta, mean, variance);
        BatchNorm.Gradients Gradients() => new((DeviceArray)dx, (DeviceArray)dgamma, (DeviceArray)dbeta);
        yield return Move("batch norm statistics", name, map.Count, () => BatchNorm.Statistics(x, mean, variance));
        yield return Move("batch norm, ReLU forward", name, 2 * map.Count,
            () => BatchNorm.Forward(x, Parameters(), default, y, relu: true));
        yield return Move("batch norm, residual, ReLU forward", name, 3 * map.Count,
            () => BatchNorm.Forward(x, Parameters(), residual, y, relu: true));
        // x and the gradient are read for the sums and again for what they give.
        yield return Move("batch norm, ReLU backward", name, 5 * map.Count,
            () => BatchNorm.Backward(x, Parameters(), y, default, Gradients(), batchStatistics: true, relu: true));
        yield return Move("batch norm, residual, ReLU backward", name, 7 * map.Count,
            () => BatchNorm.Backward(x, Parameters(), y, residual, Gradients(), batchStatistics: true, relu: true));
        if (map.Height < PooledSide)
            yield break;
        BenchmarkArray pooled = Numbers(checked((int)AveragePool.Output(map, PooledSide).Pixels), channels);
        long moved = map.Count + AveragePool.Output(map, PooledSide).Count;
        yield return Move("average pool forward", name, moved, () => AveragePool.Forward(x, pooled, map, PooledSide));
        yield return Move("average pool backward", name, moved,
            () => AveragePool.Backward(pooled, (DeviceArray)dx, map, PooledSide));
    }
}
