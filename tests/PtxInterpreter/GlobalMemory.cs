namespace PtxInterpreter;

/// <summary>The memory that kernels may access: allocations in this process, each with its own bounds.</summary>
internal sealed unsafe class GlobalMemory
{
    private readonly SortedList<ulong, ulong> _ends = [];
    private (ulong Start, ulong End) _last;

    /// <summary>Allows access to a run of bytes.</summary>
    public void Add(ulong start, long bytes) => _ends.Add(start, start + (ulong)bytes);

    /// <summary>Ends what <see cref="Add"/> allowed.</summary>
    public void Remove(ulong start)
    {
        _ends.Remove(start);
        _last = default;
    }

    /// <summary>The bytes at an address.</summary>
    /// <exception cref="PtxException">Misaligned, or not within one allocation.</exception>
    public byte* At(ulong address, int bytes, string what, int alignment = 0)
    {
        if (address % (ulong)(alignment == 0 ? bytes : alignment) != 0)
            throw new PtxException($"misaligned global {what} of {bytes} bytes at 0x{address:x}");
        if (address >= _last.Start && address + (ulong)bytes <= _last.End)
            return (byte*)address;
        int low = 0, high = _ends.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_ends.GetKeyAtIndex(middle) <= address)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == 0)
            throw new PtxException($"global {what} of {bytes} bytes at 0x{address:x}, before every array");
        (ulong start, ulong end) = (_ends.GetKeyAtIndex(low - 1), _ends.GetValueAtIndex(low - 1));
        if (address + (ulong)bytes > end)
            throw new PtxException(
                $"global {what} of {bytes} bytes out of bounds: byte {address - start} of an array of {end - start} "
                + "bytes");
        _last = (start, end);
        return (byte*)address;
    }
}

/// <summary>A kernel did what it must not, or uses what the interpreter does not know.</summary>
internal sealed class PtxException(string message) : Exception(message);
