namespace PtxInterpreter;

/// <summary>
/// A block's shared memory. Between two barriers, what one warp writes no other may read or write: every access is
/// checked. Products of warpgroups read it by another way (the asynchronous proxy): they see only what its author has
/// published by a fence since, and nothing may be written that one of them may still read.
/// </summary>
internal sealed class SharedMemory
{
    private const int Several = -1;

    private readonly byte[] _bytes;
    private readonly (int Epoch, int Warp)[] _written, _read;
    private readonly (int Thread, int Fences)[] _authors = [];
    private readonly int[] _fences = [], _products = [];
    private int _epoch = 1;

    /// <param name="bytes">Its size.</param>
    /// <param name="threads">Threads of the block where there are products of warpgroups, else 0.</param>
    public SharedMemory(int bytes, int threads)
    {
        _bytes = new byte[bytes];
        // Not zero: what a kernel reads before it writes must not pass for a sum's beginning. 0xff makes NaN of every
        // format.
        Array.Fill(_bytes, (byte)0xff);
        _written = new (int, int)[(bytes + 1) / 2];
        _read = new (int, int)[(bytes + 1) / 2];
        if (threads == 0)
            return;
        _authors = new (int, int)[(bytes + 1) / 2];
        Array.Fill(_authors, (-1, 0));
        _fences = new int[threads];
        _products = new int[(bytes + 15) / 16];
    }

    /// <summary>All threads have met: earlier accesses are ordered before later ones.</summary>
    public void Barrier() => _epoch++;

    /// <summary>The bytes at an address, after a check for races.</summary>
    /// <exception cref="PtxException">Misaligned, out of bounds, or another warp's since the last barrier.</exception>
    public Span<byte> At(ulong address, int bytes, int warp, bool write, int lane = 0)
    {
        if (address % (ulong)bytes != 0)
            throw new PtxException($"misaligned shared access of {bytes} bytes at {address}");
        if (address + (ulong)bytes > (ulong)_bytes.Length)
            throw new PtxException(
                $"shared access of {bytes} bytes at {address} out of bounds: there are {_bytes.Length}");
        for (int word = (int)address >> 1; word < ((int)address + bytes + 1) >> 1; word++)
        {
            ref (int Epoch, int Warp) written = ref _written[word], read = ref _read[word];
            if (written.Epoch == _epoch && written.Warp != warp)
                throw new PtxException(
                    $"race: warp {warp} {(write ? "writes" : "reads")} shared byte {word * 2} that warp "
                    + $"{written.Warp} has written since the last barrier");
            if (write && read.Epoch == _epoch && read.Warp != warp)
                throw new PtxException($"race: warp {warp} writes shared byte {word * 2} that "
                    + (read.Warp == Several ? "other warps have" : $"warp {read.Warp} has")
                    + " read since the last barrier");
            if (!write)
            {
                MarkRead(word, warp);
                continue;
            }
            written = (_epoch, warp);
            if (_authors.Length == 0)
                continue;
            if (_products[word / 8] != 0)
                throw new PtxException(
                    $"race: warp {warp} writes shared byte {word * 2} that a product reads, which has not been "
                    + "waited for");
            int thread = warp * WarpState.Lanes + lane;
            _authors[word] = (thread, _fences[thread]);
        }
        return _bytes.AsSpan((int)address, bytes);
    }

    /// <summary>Makes the writes that the thread has waited for visible to wgmma: fence.proxy.async.</summary>
    public void Publish(int warp, int lane)
    {
        if (_fences.Length > 0)
            _fences[warp * WarpState.Lanes + lane]++;
    }

    /// <summary>The 16 bytes that a product reads from now on until it is <see cref="ProductDone"/>.</summary>
    /// <exception cref="PtxException">Out of bounds, another warp's since the last barrier, or not published by its
    /// author.</exception>
    public Span<byte> ProductRead(ulong address, int warp)
    {
        Span<byte> bytes = At(address, 16, warp, write: false);
        for (int word = (int)address >> 1; word < ((int)address >> 1) + 8; word++)
            if (_authors[word] is var (thread, fences) && thread >= 0 && _fences[thread] == fences)
                throw new PtxException(
                    $"a product reads shared byte {word * 2}, which thread {thread} has written, with no "
                    + "fence.proxy.async since");
        _products[(int)address >> 4]++;
        return bytes;
    }

    /// <summary>A product of a warp, now waited for, no longer reads 16 bytes.</summary>
    public void ProductDone(int chunk, int warp)
    {
        _products[chunk]--;
        for (int word = chunk * 8; word < chunk * 8 + 8; word++)
            MarkRead(word, warp);
    }

    private void MarkRead(int word, int warp)
    {
        ref (int Epoch, int Warp) read = ref _read[word];
        read = (_epoch, read.Epoch == _epoch && read.Warp != warp ? Several : warp);
    }
}
