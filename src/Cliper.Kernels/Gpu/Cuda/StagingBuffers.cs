using Cliper.Kernels.Memory;
using static Cliper.Kernels.Gpu.Cuda.CudaDriver;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>
/// A pair of staging buffers through which uploads reach a GPU. Each consists of pinned host memory, which the host
/// writes and the copy stream reads, and of device memory, from where the work stream copies at its turn. One of the
/// two is filled until it is full; then the other one is, which the GPU has usually finished reading long before.
/// </summary>
/// <param name="bytes">Size of each of the two, a multiple of <see cref="Arena.Alignment"/>.</param>
internal sealed unsafe class StagingBuffers(long bytes)
{
    private readonly Buffer[] _buffers = new Buffer[2];
    private int _filling;

    /// <summary>Device memory of the pair, in bytes.</summary>
    public long DeviceBytes => _buffers.Length * bytes;

    /// <summary>Whether something was staged whose copies have not been submitted to the work stream.</summary>
    public bool HasUnsubmitted => _buffers[_filling].HasUnsubmitted;

    /// <summary>Whether something was staged in the buffer that is being filled.</summary>
    public bool IsUsed => _buffers[_filling].Used > 0;

    /// <summary>Whether the buffer that is being filled takes no more.</summary>
    public bool IsFull => _buffers[_filling].Used == bytes;

    /// <summary>Pins the host memory and creates the events.</summary>
    /// <param name="device">Address of the pair's device memory, <see cref="DeviceBytes"/> long.</param>
    /// <exception cref="DeviceException">The driver refuses.</exception>
    public void Create(nint device)
    {
        const uint NoTiming = 2;
        for (int index = 0; index < _buffers.Length; index++)
        {
            ref Buffer buffer = ref _buffers[index];
            Check(cuMemHostAlloc(out buffer.Host, (nuint)bytes, 0), "pinning memory for uploads");
            buffer.Device = device + (nint)(index * bytes);
            Check(cuEventCreate(out buffer.Staged, NoTiming));
            Check(cuEventCreate(out buffer.Copied, NoTiming));
        }
    }

    /// <summary>
    /// Stages the first bytes of <paramref name="source"/>, as many as the buffer takes. Before a buffer is used again,
    /// it waits until both streams have finished with its former content.
    /// </summary>
    /// <param name="source">Host bytes.</param>
    /// <param name="copyStream">The copy stream.</param>
    /// <returns>The number of bytes, and their address in device memory.</returns>
    /// <exception cref="DeviceException">The driver refuses, or the GPU has stopped.</exception>
    public (int Bytes, nint Address) Write(ReadOnlySpan<byte> source, nint copyStream)
    {
        ref Buffer buffer = ref _buffers[_filling];
        if (buffer.Used == 0)
        {
            Check(cuEventSynchronize(buffer.Staged));
            Check(cuEventSynchronize(buffer.Copied));
        }
        int part = (int)Math.Min(source.Length, bytes - buffer.Used);
        nint host = buffer.Host + (nint)buffer.Used, device = buffer.Device + (nint)buffer.Used;
        source[..part].CopyTo(new Span<byte>((void*)host, part));
        Check(cuMemcpyHtoDAsync_v2(device, host, (nuint)part, copyStream));
        buffer.HasUnsubmitted = true;
        buffer.Used += (part + Arena.Alignment - 1L) / Arena.Alignment * Arena.Alignment;
        return (part, device);
    }

    /// <summary>Makes the work stream wait for the copy stream, before the copies from the staging buffers.</summary>
    /// <exception cref="DeviceException">The driver refuses, or the GPU has stopped.</exception>
    public void BeforeCopies(nint copyStream, nint workStream)
    {
        nint staged = _buffers[_filling].Staged;
        Check(cuEventRecord(staged, copyStream));
        Check(cuStreamWaitEvent(workStream, staged, 0));
    }

    /// <summary>Records in the work stream that it has copied from the staging buffers.</summary>
    /// <exception cref="DeviceException">The driver refuses, or the GPU has stopped.</exception>
    public void AfterCopies(nint workStream)
    {
        ref Buffer buffer = ref _buffers[_filling];
        Check(cuEventRecord(buffer.Copied, workStream));
        buffer.HasUnsubmitted = false;
    }

    /// <summary>Continues with the other buffer, from its start.</summary>
    public void Swap()
    {
        _filling ^= 1;
        _buffers[_filling].Used = 0;
    }

    /// <summary>
    /// Frees the pinned memory and the events, also after a <see cref="Create"/> that failed midway. Device memory is
    /// the caller's.
    /// </summary>
    public void Destroy()
    {
        foreach (Buffer buffer in _buffers)
        {
            // An error here has occurred before, and been reported.
            if (buffer.Staged != 0)
                _ = cuEventDestroy_v2(buffer.Staged);
            if (buffer.Copied != 0)
                _ = cuEventDestroy_v2(buffer.Copied);
            if (buffer.Host != 0)
                _ = cuMemFreeHost(buffer.Host);
        }
    }

    private struct Buffer
    {
        // Addresses of the pinned host memory and of the device memory.
        public nint Host, Device;

        // Events: the copy stream has filled the device memory; the work stream has copied from it.
        public nint Staged, Copied;

        // Bytes of the buffer that are in use.
        public long Used;
        public bool HasUnsubmitted;
    }
}
