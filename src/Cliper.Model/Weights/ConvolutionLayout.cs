using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>
/// The weights of a ResNet's convolutions: [features, channels, rows, columns] (OIHW) in files, as PyTorch has them,
/// and [features, rows, columns, channels] (OHWI) in a model, whose feature maps are NHWC. All other tensors are the
/// same in both.
/// </summary>
internal static class ConvolutionLayout
{
    /// <summary>A tensor of a model on a device, from its elements in a file's layout.</summary>
    /// <param name="device">Device of the tensor.</param>
    /// <param name="shape">Shape in the file's layout.</param>
    /// <param name="isConvolution">Whether it is a convolution's weight.</param>
    /// <param name="read">Fills a span with the elements in the file's layout.</param>
    public static Tensor ToTensor(Device device, Shape shape, bool isConvolution, Action<Span<float>> read)
    {
        if (device is CpuDevice && !isConvolution)
        {
            var tensor = new Tensor(device, shape);
            read(tensor.Data.AsSpan<float>());
            return tensor;
        }
        var values = GC.AllocateUninitializedArray<float>(checked((int)shape.Count));
        read(values);
        return isConvolution
            ? Tensor.From(device, TransposeEach(values, shape[0], shape[1], shape[2] * shape[3]),
                new Shape(shape[0], shape[2], shape[3], shape[1]))
            : Tensor.From(device, values, shape);
    }

    /// <summary>Sizes and elements, in a file's layout, of a tensor of a model.</summary>
    public static (int[] Shape, float[] Values) ToFile(ClipConfig config, string name, Tensor tensor)
    {
        Shape shape = tensor.Shape;
        float[] values = tensor.ToArray();
        return ResNetTensors.IsConvolution(config, name, shape)
            ? ([shape[0], shape[3], shape[1], shape[2]],
                TransposeEach(values, shape[0], shape[1] * shape[2], shape[3]))
            : (shape.ToArray(), values);
    }

    /// <summary>Transposes each of several matrices that lie one after another.</summary>
    private static float[] TransposeEach(float[] values, int matrices, int rows, int columns)
    {
        var transposed = new float[values.Length];
        int size = rows * columns;
        for (int start = 0; start < matrices * size; start += size)
            for (int row = 0; row < rows; row++)
                for (int column = 0; column < columns; column++)
                    transposed[start + column * rows + row] = values[start + row * columns + column];
        return transposed;
    }
}
