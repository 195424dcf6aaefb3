namespace Cliper.Kernels.Memory;

/// <summary>
/// The reason why a device cannot be used. A library states it; a program says what to do about it, in the names of its
/// own options.
/// </summary>
public enum DeviceFailure
{
    /// <summary>The machine has no NVIDIA driver.</summary>
    NoDriver,

    /// <summary>There is a driver, and it does not initialize.</summary>
    DriverNotReady,

    /// <summary>The driver does not know the PTX version of the kernels.</summary>
    DriverTooOld,

    /// <summary>The driver finds no GPU.</summary>
    NoDevice,

    /// <summary>There are GPUs, and none has the given number.</summary>
    NoSuchDevice,

    /// <summary>Another process has the GPU to itself, or its compute mode admits none.</summary>
    Busy,

    /// <summary>The GPU's compute capability is below that of the oldest kernels.</summary>
    CapabilityTooLow,

    /// <summary>The GPU's compute capability is below that of the kernels for bf16.</summary>
    BFloat16Unsupported,

    /// <summary>More memory is to be reserved than is free.</summary>
    ReservationTooLarge,

    /// <summary>The memory to be reserved is less than the smallest useful model takes.</summary>
    ReservationTooSmall,

    /// <summary>Less memory is free than the smallest useful model takes.</summary>
    TooLittleMemory,

    /// <summary>An allocation does not fit the memory that was reserved.</summary>
    OutOfMemory,

    /// <summary>The driver itself finds no memory for a kernel, a graph or a buffer.</summary>
    DriverOutOfMemory,

    /// <summary>The driver does not load a kernel's PTX.</summary>
    KernelRefused,

    /// <summary>The device lacks something that a kernel needs.</summary>
    KernelUnsupported,

    /// <summary>A kernel faulted or the GPU was lost: no further call to it succeeds.</summary>
    Stopped,

    /// <summary>Any other call to the driver failed.</summary>
    DriverCallFailed,

    /// <summary>The CPU lacks the instruction for GEMMs of bf16 operands.</summary>
    CpuBFloat16Unsupported,
}

/// <summary>
/// A device cannot be used, or no longer. The message says what was found and what was expected; <see cref="Failure"/>
/// tells the reasons apart.
/// </summary>
/// <param name="failure">The reason.</param>
/// <param name="message">One line that names the device, what was found and what was expected.</param>
/// <param name="inner">The exception behind it, if there is one.</param>
public sealed class DeviceException(DeviceFailure failure, string message, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>The reason.</summary>
    public DeviceFailure Failure { get; } = failure;
}
