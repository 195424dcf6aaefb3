using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Copies a thread's share of an operand's k tiles from global memory to the pipeline buffers in shared memory with
/// cp.async, so that they are there when the mma needs them.
/// </summary>
/// <remarks>
/// A line is a run of memory neighbors: a row of A or column of B, along k, when the operand is K-major, and one k,
/// along M or N, when it is MN-major. Of each k tile a thread copies the same 16-byte chunks: one column of chunks,
/// in lines so far apart that the swizzle moves them alike. Everything but k is computed when a CTA tile begins. In
/// the loop over k these instructions compete with the mma for issue slots: there a chunk costs only one addition and
/// its copy.
/// </remarks>
[DeviceCode]
internal struct TileLoader<TLayout, TDtype>
    where TLayout : struct, MmaSyncGemm.IOperandLayout where TDtype : struct, IDtype16
{
    // Byte offsets of the thread's lines from the first line of the CTA tile.
    private readonly ArrayView<int> _offsets;
    private readonly int _tileK, _linesApart;
    private long _source, _sourceStep;
    private int _kLeft, _validBytes, _shared, _sharedStep;

    /// <summary>Computes the thread's share of a k tile.</summary>
    /// <param name="offsets">Local memory, one element for each chunk of the thread.</param>
    /// <param name="thread">Index of the thread in the block.</param>
    /// <param name="threads">Threads of the block.</param>
    /// <param name="tileMn">M or N extent of the CTA tile.</param>
    /// <param name="tileK">K extent of the CTA tile.</param>
    public TileLoader(ArrayView<int> offsets, int thread, int threads, int tileMn, int tileK)
    {
        uint chunks = (uint)(TLayout.IsKMajor ? tileK : tileMn) / 8;
        (_offsets, _tileK, _linesApart) = (offsets, tileK, (int)((uint)threads / chunks));
        (Line, Chunk) = ((int)((uint)thread / chunks), (int)((uint)thread % chunks));
        (_source, _sourceStep, _kLeft, _validBytes, _shared, _sharedStep) = (0, 0, 0, 0, 0, 0);
    }

    /// <summary>Line of the thread's first chunk.</summary>
    public int Line { get; }

    /// <summary>Position of the thread's chunks in their lines.</summary>
    public int Chunk { get; }

    /// <summary>Sets where in a pipeline buffer the thread's chunks are written.</summary>
    /// <param name="first">Byte offset of the first chunk.</param>
    /// <param name="lineBytes">Bytes of a line of the buffer.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PlaceAt(int first, int lineBytes) => (_shared, _sharedStep) = (first, _linesApart * lineBytes);

    /// <summary>Begins a CTA tile; the returned body is to be run for each chunk of the thread.</summary>
    /// <param name="matrix">The operand.</param>
    /// <param name="leading">Leading dimension: elements between rows in memory, fewer than 2^22.</param>
    /// <param name="firstMn">First row of A or column of B of the CTA tile.</param>
    /// <param name="mnEnd">Rows of A or columns of B; more than <paramref name="firstMn"/>.</param>
    /// <param name="firstK">First k.</param>
    /// <param name="kEnd">End of the range of k.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public OffsetBody Begin(GlobalPtr16<TDtype> matrix, int leading, int firstMn, int mnEnd, int firstK, int kEnd)
    {
        int row = TLayout.IsKMajor ? firstMn : firstK, column = (TLayout.IsKMajor ? firstK : firstMn) + Chunk * 8;
        _source = matrix.At((long)row * leading + column);
        _sourceStep = TLayout.IsKMajor ? _tileK * 2 : (long)leading * (_tileK * 2);
        _kLeft = kEnd - firstK - (TLayout.IsKMajor ? Chunk * 8 : Line);
        _validBytes = TLayout.IsKMajor ? 0 : ValidBytes(mnEnd - column);
        return new OffsetBody
        {
            Offsets = _offsets,
            Line = Line,
            LinesApart = _linesApart,
            Leading = leading,
            // Accumulators beyond the last row or column are not stored, so any operand will do there, and the last
            // line exists.
            LastLine = TLayout.IsKMajor ? mnEnd - 1 - firstMn : int.MaxValue,
        };
    }

    /// <summary>Makes all further copies write zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End() => (_kLeft, _validBytes) = (0, 0);

    /// <summary>
    /// Advances to the next k tile; the returned body is to be run for each chunk of the thread. Elements beyond the
    /// range of k become zero.
    /// </summary>
    /// <param name="buffer">Shared-memory address of the pipeline buffer.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public CopyBody Next(int buffer)
    {
        var body = new CopyBody
        {
            Offsets = _offsets,
            Source = _source,
            KLeft = _kLeft,
            LinesApart = _linesApart,
            Shared = buffer + _shared,
            SharedStep = _sharedStep,
            ValidBytes = TLayout.IsKMajor ? ValidBytes(_kLeft) : _validBytes,
        };
        _source += _sourceStep;
        _kLeft -= _tileK;
        return body;
    }

    // Bytes to copy of a chunk of which so many elements exist.
    private static int ValidBytes(int elements) => IntrinsicMath.Max(0, IntrinsicMath.Min(8, elements)) * 2;

    /// <summary>Computes the byte offset of a chunk's line in global memory.</summary>
    [DeviceCode]
    public struct OffsetBody : IUnrolledBody
    {
        internal ArrayView<int> Offsets;
        internal int Line, LinesApart, LastLine, Leading;

        /// <inheritdoc/>
        public void Run(int index) =>
            Offsets[index] = IntrinsicMath.Min(Line + index * LinesApart, LastLine) * (Leading * 2);
    }

    /// <summary>Starts the copy of a chunk.</summary>
    [DeviceCode]
    public struct CopyBody : IUnrolledBody
    {
        internal ArrayView<int> Offsets;
        internal long Source;
        internal int KLeft, LinesApart, Shared, SharedStep, ValidBytes;

        /// <inheritdoc/>
        public void Run(int index) => Ptx.CopyAsync(Shared + index * SharedStep, Source + (uint)Offsets[index],
            TLayout.IsKMajor || KLeft > index * LinesApart ? ValidBytes : 0);
    }
}
