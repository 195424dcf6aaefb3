using Cliper.Kernels.Memory;
using static Cliper.Kernels.Gpu.Cuda.CudaDriver;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>
/// The memory that a device takes from a GPU, in one allocation: the arena's segment, and behind it the device staging
/// buffers of a pair for steps and a pair for all other uploads.
/// </summary>
internal sealed class CudaReservation
{
    // A batch that fits one buffer of the first pair is uploaded while the GPU computes. That pair takes at most a
    // sixteenth of the reservation. The steps' pair is smaller: a step uploads labels and tables.
    private const long MaxStagingBytes = 128 << 20;
    private const int StagingShare = 32, StepStagingShare = 16;

    // The smallest model that is of use takes this much with its training.
    private const long MinBytes = 64 << 20;

    private readonly CudaCapabilities _gpu;
    private readonly long _bytes;

    /// <summary>Takes the memory; the GPU's context is current.</summary>
    /// <param name="gpu">Attributes of the GPU.</param>
    /// <param name="memory">Bytes to reserve; 0 for nine tenths of the free memory.</param>
    /// <exception cref="DeviceException">More is asked for than is free, or less than is needed.</exception>
    public CudaReservation(CudaCapabilities gpu, long memory)
    {
        _gpu = gpu;
        _bytes = SizeFor(memory);
        long staging = Math.Min(MaxStagingBytes, _bytes / StagingShare);
        BetweenSteps = new StagingBuffers(staging / Arena.Alignment * Arena.Alignment);
        InSteps = new StagingBuffers(staging / StepStagingShare / Arena.Alignment * Arena.Alignment);
        Arena = new Arena(Reserve, _bytes - StagingBytes, Exhausted);
        // The first allocation makes the reservation, which is to fail here if it fails, and not when work has begun.
        Arena.Free(Arena.Allocate(0));
    }

    /// <summary>Sub-allocator over the memory that is not for staging.</summary>
    public Arena Arena { get; }

    /// <summary>Staging buffers for uploads outside steps.</summary>
    public StagingBuffers BetweenSteps { get; }

    /// <summary>
    /// Staging buffers for uploads in steps, so that a step finds its uploads at the same addresses whatever was
    /// uploaded before it.
    /// </summary>
    public StagingBuffers InSteps { get; }

    /// <summary>Pins the host memory of the staging buffers.</summary>
    /// <exception cref="DeviceException">The driver refuses.</exception>
    public void CreateStaging()
    {
        (nint start, long size) = Arena.Segments[0];
        BetweenSteps.Create(start + (nint)size);
        InSteps.Create(start + (nint)(size + BetweenSteps.DeviceBytes));
    }

    /// <summary>Frees the pinned host memory of the staging buffers.</summary>
    public void DestroyStaging()
    {
        BetweenSteps.Destroy();
        InSteps.Destroy();
    }

    private long StagingBytes => BetweenSteps.DeviceBytes + InSteps.DeviceBytes;

    private long SizeFor(long memory)
    {
        long size = (memory > 0 ? memory : (long)(_gpu.FreeBytes * 0.9)) / Arena.Alignment * Arena.Alignment;
        string found = $"{_gpu.Name} has {Mebibytes(_gpu.FreeBytes)} of {Mebibytes(_gpu.TotalBytes)} free";
        if (size > _gpu.FreeBytes)
            throw new DeviceException(DeviceFailure.ReservationTooLarge,
                $"{found}; {Mebibytes(memory)} were asked for");
        if (size < MinBytes)
            throw new DeviceException(memory > 0 ? DeviceFailure.ReservationTooSmall : DeviceFailure.TooLittleMemory,
                $"{found}; at least {Mebibytes(MinBytes)} are needed");
        return size;
    }

    // The arena asks once, for all that is not for staging.
    private nint Reserve(long bytes)
    {
        const int OutOfMemory = 2;
        bytes += StagingBytes;
        int result = cuMemAlloc_v2(out nint address, (nuint)bytes);
        if (result == OutOfMemory)
            throw new DeviceException(DeviceFailure.ReservationTooLarge,
                $"out of GPU memory: {Mebibytes(bytes)} were asked "
                + $"for, {Mebibytes(_gpu.FreeBytes)} of {Mebibytes(_gpu.TotalBytes)} were free");
        Check(result, $"reserving {Mebibytes(bytes)}", nameof(cuMemAlloc_v2));
        return address;
    }

    private DeviceException Exhausted(long bytes) => new(DeviceFailure.OutOfMemory, $"out of GPU memory: "
        + $"{Mebibytes(bytes)} were asked for, {Mebibytes(_bytes - StagingBytes - Arena.LiveBytes)} of the "
        + $"{Mebibytes(_bytes)} reserved are free");

    private static string Mebibytes(long bytes) => $"{bytes >> 20} MiB";
}
