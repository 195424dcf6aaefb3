namespace Cliper.Kernels.Memory;

/// <summary>
/// Sub-allocates one device's memory: best fit over large segments, neighbors merged when freed, every block aligned to
/// <see cref="Alignment"/>. After the first training step every request meets a block of its size again, so a step
/// takes nothing from the driver. Thread-safe.
/// </summary>
/// <param name="reserve">Takes a segment of at least the given bytes from the driver; returns its address.</param>
/// <param name="segmentBytes">Smallest segment to ask for.</param>
/// <param name="exhausted">
/// Given where there is to be a single segment: makes the exception that is thrown when a request, in bytes, does not
/// fit it.
/// </param>
internal sealed class Arena(Func<long, nint> reserve, long segmentBytes = 32L << 20,
    Func<long, Exception>? exhausted = null)
{
    /// <summary>
    /// Alignment of every block, in bytes: ILGPU assumes it of a kernel's views, and it is four cache lines.
    /// </summary>
    public const int Alignment = 256;

    private readonly Lock _lock = new();
    private readonly SortedSet<(long Size, nint Address)> _freeBySize = [];
    private readonly Dictionary<nint, long> _freeByStart = [];
    private readonly Dictionary<nint, long> _freeByEnd = [];
    private readonly Dictionary<nint, long> _live = [];
    private readonly List<(nint Address, long Size)> _segments = [];

    /// <summary>Bytes handed out and not freed.</summary>
    public long LiveBytes { get; private set; }

    /// <summary>Blocks handed out and not freed.</summary>
    public int LiveBlocks => _live.Count;

    /// <summary>Largest <see cref="LiveBytes"/> since <see cref="ResetPeak"/>.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Bytes taken from the driver.</summary>
    public long ReservedBytes { get; private set; }

    /// <summary>Address and size in bytes of every segment taken from the driver.</summary>
    public IReadOnlyList<(nint Address, long Size)> Segments => _segments;

    /// <summary>Sets <see cref="PeakBytes"/> to <see cref="LiveBytes"/>.</summary>
    public void ResetPeak() => PeakBytes = LiveBytes;

    /// <summary>
    /// Allocates a block of at least <paramref name="bytes"/> bytes; zero gives one of the smallest size.
    /// </summary>
    /// <returns>The address, a multiple of <see cref="Alignment"/>.</returns>
    /// <exception cref="DeviceException">The request does not fit a single segment, or the driver has no
    /// memory.</exception>
    public nint Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        long size = Math.Max(Alignment, (bytes + Alignment - 1) / Alignment * Alignment);
        lock (_lock)
        {
            (long Size, nint Address) block = _freeBySize.GetViewBetween((size, 0), (long.MaxValue, 0)).Min;
            if (block.Address == 0)
            {
                if (exhausted is not null && (_segments.Count > 0 || size > segmentBytes))
                    throw exhausted(size);
                long segment = Math.Max(size, segmentBytes);
                block = (segment, reserve(segment));
                _segments.Add((block.Address, segment));
                ReservedBytes += segment;
            }
            else
            {
                RemoveFree(block.Address, block.Size);
            }
            if (block.Size > size)
                AddFree(block.Address + (nint)size, block.Size - size);
            _live.Add(block.Address, size);
            LiveBytes += size;
            PeakBytes = Math.Max(PeakBytes, LiveBytes);
            return block.Address;
        }
    }

    /// <summary>Frees a block.</summary>
    /// <exception cref="InvalidOperationException">The address is no live block: freed twice, or a slice.</exception>
    public void Free(nint address)
    {
        lock (_lock)
        {
            if (!_live.Remove(address, out long size))
                throw new InvalidOperationException("freed twice, or not the start of an allocation");
            LiveBytes -= size;
            if (_freeByEnd.TryGetValue(address, out long before))
            {
                RemoveFree(address - (nint)before, before);
                address -= (nint)before;
                size += before;
            }
            if (_freeByStart.TryGetValue(address + (nint)size, out long after))
            {
                RemoveFree(address + (nint)size, after);
                size += after;
            }
            AddFree(address, size);
        }
    }

    private void AddFree(nint address, long size)
    {
        _freeBySize.Add((size, address));
        _freeByStart.Add(address, size);
        _freeByEnd.Add(address + (nint)size, size);
    }

    private void RemoveFree(nint address, long size)
    {
        _freeBySize.Remove((size, address));
        _freeByStart.Remove(address);
        _freeByEnd.Remove(address + (nint)size);
    }
}
