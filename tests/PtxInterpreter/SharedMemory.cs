namespace PtxInterpreter;

/// <summary>
/// A block's shared memory. Between two barriers, what one warp writes no other may read or write: every access is checked.
/// </summary>
internal sealed class SharedMemory
{
    private const int Several = -1;

    private readonly byte[] _bytes;
    private readonly (int Epoch, int Warp)[] _written, _read;
    private int _epoch = 1;

    public SharedMemory(int bytes)
    {
        _bytes = new byte[bytes];
        // Not zero: what a kernel reads before it writes must not pass for a sum's beginning. 0xff makes NaN of every format.
        Array.Fill(_bytes, (byte)0xff);
        _written = new (int, int)[(bytes + 1) / 2];
        _read = new (int, int)[(bytes + 1) / 2];
    }

    /// <summary>All threads have met: earlier accesses are ordered before later ones.</summary>
    public void Barrier() => _epoch++;

    /// <summary>The bytes at an address, after a check for races.</summary>
    /// <exception cref="PtxException">Misaligned, out of bounds, or another warp's since the last barrier.</exception>
    public Span<byte> At(ulong address, int bytes, int warp, bool write)
    {
        if (address % (ulong)bytes != 0)
            throw new PtxException($"misaligned shared access of {bytes} bytes at {address}");
        if (address + (ulong)bytes > (ulong)_bytes.Length)
            throw new PtxException($"shared access of {bytes} bytes at {address} out of bounds: there are {_bytes.Length}");
        for (int word = (int)address >> 1; word < ((int)address + bytes + 1) >> 1; word++)
        {
            ref (int Epoch, int Warp) written = ref _written[word], read = ref _read[word];
            if (written.Epoch == _epoch && written.Warp != warp)
                throw new PtxException($"race: warp {warp} {(write ? "writes" : "reads")} shared byte {word * 2} that warp "
                    + $"{written.Warp} has written since the last barrier");
            if (write && read.Epoch == _epoch && read.Warp != warp)
                throw new PtxException($"race: warp {warp} writes shared byte {word * 2} that "
                    + (read.Warp == Several ? "other warps have" : $"warp {read.Warp} has") + " read since the last barrier");
            if (write)
                written = (_epoch, warp);
            else
                read = (_epoch, read.Epoch == _epoch && read.Warp != warp ? Several : warp);
        }
        return _bytes.AsSpan((int)address, bytes);
    }
}
