using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// What a thread copies of an operand into the stages of shared memory: of each stage the same chunks of 16 bytes, in one column of its
/// lines and so many lines apart that the swizzle moves them alike. A line is a row or column of the result where neighbours in memory
/// differ in depth, else it is of depth. All but the depth is reckoned when a tile begins, so that in the loop over the depth, where
/// instructions compete with products for the issue slots, a chunk costs an addition and its copy.
/// </summary>
internal struct TileLoader<TLayout, TDtype> where TLayout : struct, MmaSyncGemm.IOperandLayout where TDtype : struct, IDtype16
{
    // Of the thread's lines from the tile's first, in bytes.
    private readonly ArrayView<int> _offsets;
    private readonly int _depth, _linesApart;
    private long _from, _ahead;
    private int _left, _valid, _shared, _sharedApart;

    /// <summary>The thread's share.</summary>
    /// <param name="offsets">Local memory, an element for each of the thread's chunks of a stage.</param>
    /// <param name="thread">The thread.</param>
    /// <param name="threads">Threads of the block.</param>
    /// <param name="outer">Rows or columns of a tile.</param>
    /// <param name="depth">Depth of a stage.</param>
    public TileLoader(ArrayView<int> offsets, int thread, int threads, int outer, int depth)
    {
        uint chunks = (uint)(TLayout.IsKMajor ? depth : outer) / 8;
        (_offsets, _depth, _linesApart) = (offsets, depth, (int)((uint)threads / chunks));
        (Line, Chunk) = ((int)((uint)thread / chunks), (int)((uint)thread % chunks));
        (_from, _ahead, _left, _valid, _shared, _sharedApart) = (0, 0, 0, 0, 0, 0);
    }

    /// <summary>Line of the thread's first chunk.</summary>
    public int Line { get; }

    /// <summary>Place of the thread's chunks in their lines.</summary>
    public int Chunk { get; }

    /// <summary>Says where in a stage the thread's chunks belong.</summary>
    /// <param name="first">Byte of the first.</param>
    /// <param name="lineBytes">Bytes of a line of the stage.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void PlaceAt(int first, int lineBytes) => (_shared, _sharedApart) = (first, _linesApart * lineBytes);

    /// <summary>Begins a tile; the step is to be taken for each chunk of a stage.</summary>
    /// <param name="matrix">The operand.</param>
    /// <param name="leading">Elements from row to row of its memory, fewer than 2^22.</param>
    /// <param name="firstOuter">First row or column of the tile.</param>
    /// <param name="outerEnd">Rows or columns of the operand; more than <paramref name="firstOuter"/>.</param>
    /// <param name="firstDepth">First depth.</param>
    /// <param name="depthEnd">Where the depth ends.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public OffsetBody Begin(GlobalPtr16<TDtype> matrix, int leading, int firstOuter, int outerEnd, int firstDepth, int depthEnd)
    {
        int row = TLayout.IsKMajor ? firstOuter : firstDepth, column = (TLayout.IsKMajor ? firstDepth : firstOuter) + Chunk * 8;
        _from = matrix.At((long)row * leading + column);
        _ahead = TLayout.IsKMajor ? _depth * 2 : (long)leading * (_depth * 2);
        _left = depthEnd - firstDepth - (TLayout.IsKMajor ? Chunk * 8 : Line);
        _valid = TLayout.IsKMajor ? 0 : ValidBytes(outerEnd - column);
        OffsetBody step;
        (step.Offsets, step.Line, step.Apart, step.Leading) = (_offsets, Line, _linesApart, leading);
        // What lies beyond the last row or column is not stored: any number does, and the last one's memory is there.
        step.LastLine = TLayout.IsKMajor ? outerEnd - 1 - firstOuter : int.MaxValue;
        return step;
    }

    /// <summary>From here on the copies write zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void End() => (_left, _valid) = (0, 0);

    /// <summary>Goes on to the next stage; the step is to be taken for each of its chunks. Beyond the depth they become zeros.</summary>
    /// <param name="stage">Its address in shared memory.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public CopyBody Next(int stage)
    {
        CopyBody step;
        (step.Offsets, step.From, step.Left, step.Apart) = (_offsets, _from, _left, _linesApart);
        (step.Shared, step.SharedApart) = (stage + _shared, _sharedApart);
        step.Valid = TLayout.IsKMajor ? ValidBytes(_left) : _valid;
        _from += _ahead;
        _left -= _depth;
        return step;
    }

    // Of a chunk of which so many elements are there.
    private static int ValidBytes(int elements) => IntrinsicMath.Max(0, IntrinsicMath.Min(8, elements)) * 2;

    /// <summary>Reckons where a chunk's line is.</summary>
    public struct OffsetBody : IUnrolledBody
    {
        internal ArrayView<int> Offsets;
        internal int Line, Apart, LastLine, Leading;

        /// <inheritdoc/>
        public void Run(int index) => Offsets[index] = IntrinsicMath.Min(Line + index * Apart, LastLine) * (Leading * 2);
    }

    /// <summary>Starts the copy of a chunk.</summary>
    public struct CopyBody : IUnrolledBody
    {
        internal ArrayView<int> Offsets;
        internal long From;
        internal int Left, Apart, Shared, SharedApart, Valid;

        /// <inheritdoc/>
        public void Run(int index) => Ptx.CopyAsync(Shared + index * SharedApart, From + (uint)Offsets[index],
            TLayout.IsKMajor || Left > index * Apart ? Valid : 0);
    }
}
