using Cliper.Kernels.Memory;
using static Cliper.Kernels.Gpu.Cuda.CudaDriver;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>
/// A pair of staging buffers through which uploads reach a GPU. Each consists of pinned host memory, which the host writes and the
/// copy stream reads, and of device memory, from where the work stream copies at its turn. One of the two is filled until it is
/// full; only then the other one is taken, which the GPU has long left.
/// </summary>
/// <param name="bytes">Size of each of the two, a multiple of <see cref="Arena.Alignment"/>.</param>
internal sealed unsafe class StagingBuffers(long bytes)
{
    private readonly Buffer[] _buffers = new Buffer[2];
    private int _filling;

    /// <summary>Device memory of the pair.</summary>
    public long DeviceBytes => _buffers.Length * bytes;

    /// <summary>Whether something was staged that the work stream has not been told of.</summary>
    public bool IsOpen => _buffers[_filling].IsOpen;

    /// <summary>Whether something was staged in the buffer that is being filled.</summary>
    public bool IsUsed => _buffers[_filling].Used > 0;

    /// <summary>Whether the buffer that is being filled takes no more.</summary>
    public bool IsFull => _buffers[_filling].Used == bytes;

    /// <summary>Pins the host memory and makes the events.</summary>
    /// <param name="device">The pair's device memory, <see cref="DeviceBytes"/>.</param>
    /// <exception cref="DeviceException">The driver refuses.</exception>
    public void Create(nint device)
    {
        const uint NoTiming = 2;
        for (int index = 0; index < _buffers.Length; index++)
        {
            ref Buffer buffer = ref _buffers[index];
            Check(cuMemHostAlloc(out buffer.Pinned, (nuint)bytes, 0), "pinning memory for uploads");
            buffer.Landing = device + (nint)(index * bytes);
            Check(cuEventCreate(out buffer.Arrived, NoTiming), "creating an event");
            Check(cuEventCreate(out buffer.Taken, NoTiming), "creating an event");
        }
    }

    /// <summary>
    /// Sends the first bytes of <paramref name="source"/> on their way, as many as the buffer takes. A buffer that is used again
    /// is waited for: what it held has to have left it on both sides.
    /// </summary>
    /// <param name="source">Host bytes.</param>
    /// <param name="uploads">The copy stream.</param>
    /// <returns>How many bytes they are, and where in device memory they arrive.</returns>
    /// <exception cref="DeviceException">The driver refuses, or the GPU has stopped.</exception>
    public (int Bytes, nint Landing) Write(ReadOnlySpan<byte> source, nint uploads)
    {
        ref Buffer buffer = ref _buffers[_filling];
        if (buffer.Used == 0)
        {
            Check(cuEventSynchronize(buffer.Arrived), "waiting for an upload");
            Check(cuEventSynchronize(buffer.Taken), "waiting for an upload");
        }
        int part = (int)Math.Min(source.Length, bytes - buffer.Used);
        nint pinned = buffer.Pinned + (nint)buffer.Used, landing = buffer.Landing + (nint)buffer.Used;
        source[..part].CopyTo(new Span<byte>((void*)pinned, part));
        Check(cuMemcpyHtoDAsync_v2(landing, pinned, (nuint)part, uploads), "writing to it");
        buffer.IsOpen = true;
        buffer.Used += (part + Arena.Alignment - 1L) / Arena.Alignment * Arena.Alignment;
        return (part, landing);
    }

    /// <summary>Lets the work stream wait for what was staged; the work that copies it follows.</summary>
    public void Sending(nint uploads, nint work)
    {
        nint arrived = _buffers[_filling].Arrived;
        Check(cuEventRecord(arrived, uploads), "writing to it");
        Check(cuStreamWaitEvent(work, arrived, 0), "writing to it");
    }

    /// <summary>Marks in the work stream that it has copied what was staged.</summary>
    public void Sent(nint work)
    {
        ref Buffer buffer = ref _buffers[_filling];
        Check(cuEventRecord(buffer.Taken, work), "writing to it");
        buffer.IsOpen = false;
    }

    /// <summary>Goes on with the other buffer, from its start.</summary>
    public void Turn()
    {
        _filling ^= 1;
        _buffers[_filling].Used = 0;
    }

    /// <summary>Frees what <see cref="Create"/> made, all or a part of it. Device memory is the caller's.</summary>
    public void Destroy()
    {
        foreach (Buffer buffer in _buffers)
        {
            // Whatever fails here has failed before and been said.
            if (buffer.Arrived != 0)
                _ = cuEventDestroy_v2(buffer.Arrived);
            if (buffer.Taken != 0)
                _ = cuEventDestroy_v2(buffer.Taken);
            if (buffer.Pinned != 0)
                _ = cuMemFreeHost(buffer.Pinned);
        }
    }

    private struct Buffer
    {
        // Pinned memory of the host, and device memory.
        public nint Pinned, Landing;

        // Events: all has arrived in the landing, and the work has copied it from there.
        public nint Arrived, Taken;

        public long Used;
        public bool IsOpen;
    }
}
