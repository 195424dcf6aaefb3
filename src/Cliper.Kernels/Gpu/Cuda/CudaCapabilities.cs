using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Memory;
using static Cliper.Kernels.Gpu.Cuda.CudaDriver;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>The attributes of a CUDA GPU and of its driver, and what kernels need of them.</summary>
/// <param name="Name">The driver's name for the GPU.</param>
/// <param name="Capability">Ten times the compute capability, such as 90.</param>
/// <param name="Driver">CUDA version of the driver, such as 12040.</param>
/// <param name="Multiprocessors">Number of streaming multiprocessors.</param>
/// <param name="SharedBytes">Most dynamic shared memory of a block, in bytes.</param>
/// <param name="FreeBytes">Memory that was free when the GPU was opened, in bytes.</param>
/// <param name="TotalBytes">All memory, in bytes.</param>
public sealed record CudaCapabilities(string Name, int Capability, int Driver, int Multiprocessors, int SharedBytes,
    long FreeBytes, long TotalBytes)
{
    /// <summary>The compute capability as NVIDIA writes it, such as "9.0".</summary>
    public string CapabilityText => Version(Capability);

    /// <summary>The driver's CUDA version as NVIDIA writes it, such as "12.4".</summary>
    public string DriverText => DriverVersion(Driver);

    /// <summary>Why this machine has no CUDA GPU at all; null where it has one.</summary>
    internal static DeviceException? WhyNone()
    {
        const string None = "no usable CUDA device";
        if (!IsPresent)
            return new(DeviceFailure.NoDriver, $"{None}: this machine has no NVIDIA driver ({FileName} is not found)");
        var noDevice = new DeviceException(DeviceFailure.NoDevice, $"{None}: the NVIDIA driver finds none");
        const int NoDevice = 100;
        int result = cuInit(0);
        if (result == NoDevice)
            return noDevice;
        if (result != 0)
            return new(DeviceFailure.DriverNotReady,
                $"{None}: the NVIDIA driver does not start: {Failed(nameof(cuInit), result)}");
        int oldest = GpuTarget.Simt.Row().Driver;
        if (cuDriverGetVersion(out int version) != 0 || version < oldest)
            return new(DeviceFailure.DriverTooOld,
                $"{None}: the NVIDIA driver is for CUDA {DriverVersion(version)}, too "
                + $"old; one for {DriverVersion(oldest)} or later is needed");
        return cuDeviceGetCount(out int count) != 0 || count == 0 ? noDevice : null;
    }

    /// <summary>Opens a GPU by its number.</summary>
    /// <param name="ordinal">The number, from 0.</param>
    /// <returns>The driver's handles of the GPU and of its primary context, which the caller releases.</returns>
    /// <exception cref="DeviceException">There is no driver, no such GPU, or it admits no further process.</exception>
    internal static (int Device, nint Context) Open(int ordinal)
    {
        if (WhyNone() is { } reason)
            throw reason;
        Check(cuDeviceGetCount(out int count));
        if (ordinal < 0 || ordinal >= count)
            throw new DeviceException(DeviceFailure.NoSuchDevice,
                $"there is no CUDA device {ordinal}: this machine has {count}, numbered from 0");
        Check(cuDeviceGet(out int device, ordinal));
        const int Unavailable = 46;
        int result = cuDevicePrimaryCtxRetain(out nint context, device);
        if (result == Unavailable)
            throw new DeviceException(DeviceFailure.Busy,
                $"{NameOf(device)} cannot be used now: another program has it "
                + "to itself (its compute mode), or nobody may have it");
        Check(result, call: nameof(cuDevicePrimaryCtxRetain));
        return (device, context);
    }

    /// <summary>Asks the driver about a GPU whose context is current.</summary>
    /// <exception cref="DeviceException">A call to the driver failed.</exception>
    internal static CudaCapabilities Read(int device)
    {
        const int MultiprocessorCount = 16, ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76,
            MaxSharedMemoryPerBlockOptin = 97;
        Check(cuMemGetInfo_v2(out nuint free, out nuint total));
        Check(cuDriverGetVersion(out int driver));
        return new CudaCapabilities(NameOf(device),
            10 * Attribute(ComputeCapabilityMajor) + Attribute(ComputeCapabilityMinor), driver,
            Attribute(MultiprocessorCount), Attribute(MaxSharedMemoryPerBlockOptin), (long)free, (long)total);

        int Attribute(int attribute)
        {
            Check(cuDeviceGetAttribute(out int value, attribute, device));
            return value;
        }
    }

    /// <summary>Whether the GPU and its driver run kernels of a target.</summary>
    internal bool Supports(GpuTarget target) => target.Row().RunsOn(Capability, Driver);

    /// <summary>Throws unless the GPU runs the kernels for a 16-bit format.</summary>
    /// <exception cref="DeviceException">Its compute capability is too low.</exception>
    internal void CheckRuns(ElementType activations)
    {
        (int simt, int bf16) = (GpuTarget.Simt.Row().Capability, GpuTarget.BFloat16.Row().Capability);
        if (Capability < simt)
            throw new DeviceException(DeviceFailure.CapabilityTooLow,
                $"{Name} has compute capability {CapabilityText}; "
                + $"the kernels need {Version(simt)} (Volta) or later");
        if (activations == ElementType.BFloat16 && Capability < bf16)
            throw new DeviceException(DeviceFailure.BFloat16Unsupported,
                $"{Name} has compute capability {CapabilityText}; bf16 needs {Version(bf16)} (Ampere) or later");
    }

    private static string Version(int capability) => $"{capability / 10}.{capability % 10}";

    private static string DriverVersion(int driver) => $"{driver / 1000}.{driver % 1000 / 10}";

    private static unsafe string NameOf(int device)
    {
        const int Length = 256;
        byte* name = stackalloc byte[Length];
        Check(cuDeviceGetName(name, Length, device));
        return Marshal.PtrToStringUTF8((nint)name)!;
    }
}
