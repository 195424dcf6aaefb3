using System.Globalization;
using Cliper.Kernels;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Cuda;
using Cliper.Kernels.Memory;

namespace Cliper.Model;

/// <summary>Opens the device that a <see cref="RecognizerOptions"/> names.</summary>
internal static class RecognizerDevice
{
    private const string Cpu = "cpu", Auto = "auto", Cuda = "cuda";

    /// <summary>Opens it; the caller disposes it.</summary>
    /// <exception cref="ArgumentException">There is no such name, or the device has no such precision.</exception>
    /// <exception cref="DeviceException">It cannot be used.</exception>
    public static Device Open(RecognizerOptions options)
    {
        string name = options.DeviceName ?? Cpu;
        if (name == Cpu || (name == Auto && options.Precision == ElementType.Float32))
            return new CpuDevice(options.Threads, operands: options.Precision ?? ElementType.Float32);
        if (name == Auto)
        {
            try
            {
                return OpenCard(0, options.Precision);
            }
            catch (DeviceException)
            {
                return new CpuDevice(options.Threads, operands: options.Precision ?? ElementType.Float32);
            }
        }
        string[] parts = name.Split(':', 2);
        int ordinal = 0;
        if (parts[0] != Cuda || (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None,
            CultureInfo.InvariantCulture, out ordinal)))
            throw new ArgumentException($"DeviceName is '{name}'; there are cpu, auto, cuda and cuda:N",
                nameof(options));
        return OpenCard(ordinal, options.Precision);
    }

    private static CudaDevice OpenCard(int ordinal, ElementType? precision) => precision == ElementType.Float32
        ? throw new ArgumentException("a GPU stores activations in fp16 or bf16, not in fp32", nameof(precision))
        : GpuDevices.OpenCuda(ordinal, activations: precision ?? ElementType.Float16);
}
