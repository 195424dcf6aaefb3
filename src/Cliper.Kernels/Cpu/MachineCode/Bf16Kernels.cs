using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Cliper.Kernels.Cpu.MachineCode;

/// <summary>
/// The micro-kernels of bf16 GEMMs: a tile of C of up to 14 rows by 32 columns is computed in registers by VDPBF16PS,
/// from operands packed in pairs. The machine code is emitted when the object is made, and freed with it.
/// </summary>
internal sealed unsafe class Bf16Kernels : IDisposable
{
    /// <summary>Largest number of rows of a tile: two accumulators each, two registers of b and two of a.</summary>
    public const int MaxMr = 14;

    // Columns of a tile, and 32-bit words between pairs of a packed panel of a.
    private const int Nr = 32, WidthA = 16;
    private const int LineBytes = 64, Accumulators = 2 * MaxMr, FirstB = 28, FirstA = 30;

    // Registers that Windows' calling convention lets no function change; code may save them behind its tile.
    private const int FirstSaved = 6, EndSaved = 16, SavedAt = MaxMr * Nr * sizeof(float);

    /// <summary>Floats of the memory that receives a tile.</summary>
    public const int TileFloats = MaxMr * Nr + (EndSaved - FirstSaved) * 16;

    // Floating-point operations of a VDPBF16PS: 32 products, 32 sums.
    private const int Flops = 64;

    private readonly ExecutableMemory? _memory;
    private readonly int[] _starts = new int[MaxMr + 1];

    private Bf16Kernels(ExecutableMemory? memory) => _memory = memory;

    /// <summary>Emits the kernels, which run only where the CPU has VDPBF16PS.</summary>
    /// <exception cref="Win32Exception">The system allows no executable memory.</exception>
    public Bf16Kernels()
    {
        var code = new List<byte>();
        for (int mr = 0; mr <= MaxMr; mr++)
        {
            // A function begins at the beginning of a cache line.
            while (code.Count % LineBytes != 0)
                code.Add(0);
            _starts[mr] = code.Count;
            code.AddRange(mr == 0 ? EmitPeak() : EmitTile(mr, OperatingSystem.IsWindows()));
        }
        _memory = new ExecutableMemory(CollectionsMarshal.AsSpan(code));
    }

    /// <summary>Kernels that emulate VDPBF16PS bit for bit, on any CPU and thousands of times slower, for
    /// tests.</summary>
    public static Bf16Kernels Emulating() => new(memory: null);

    /// <summary>The operands of a tile. The emitted code knows the order of the fields.</summary>
    /// <param name="A">Packed panel of a: the pair of k, for each row of the tile, then the next pair of k.</param>
    /// <param name="B">Packed panel of b, likewise by columns.</param>
    /// <param name="Tile">Receives the sums row by row; <see cref="TileFloats"/> floats.</param>
    /// <param name="Pairs">Pairs of k, at least 1.</param>
    /// <param name="Fetch">Memory that will be read next, which is prefetched into the L2 cache.</param>
    /// <param name="FetchStep">Bytes to fetch for each pair.</param>
    [StructLayout(LayoutKind.Sequential)]
    internal readonly record struct Operands(nint A, nint B, nint Tile, nint Pairs, nint Fetch, nint FetchStep);

    /// <summary>tile[i, j] = sum over k of a[i, k] b[k, j], in ascending order of the pairs of k.</summary>
    /// <param name="mr">Rows, 1 to <see cref="MaxMr"/>.</param>
    /// <param name="nr">Columns; 32 unless emulated.</param>
    /// <param name="widthA">32-bit words between pairs of a; 16 unless emulated.</param>
    /// <param name="operands">The operands.</param>
    public void Run(int mr, int nr, int widthA, in Operands operands)
    {
        if (_memory is null)
        {
            Bf16Emulation.Run(mr, nr, widthA, in operands);
            return;
        }
        // A call takes a few microseconds, and the function touches nothing of the runtime's: it need not tell the
        // garbage collector that it leaves managed code.
        fixed (Operands* at = &operands)
            ((delegate* unmanaged[SuppressGCTransition]<Operands*, void>)(_memory.Address + _starts[mr]))(at);
    }

    /// <summary>Runs VDPBF16PS on registers alone.</summary>
    /// <param name="rounds">Number of rounds, 28 instructions each.</param>
    /// <returns>Floating-point operations done.</returns>
    public double RunPeak(long rounds)
    {
        float* tile = stackalloc float[TileFloats];
        var operands = new Operands(0, 0, (nint)tile, (nint)rounds, 0, 0);
        ((delegate* unmanaged<Operands*, void>)(_memory!.Address + _starts[0]))(&operands);
        return (double)rounds * Accumulators * Flops;
    }

    /// <inheritdoc/>
    public void Dispose() => _memory?.Dispose();

    /// <summary>Machine code of the kernel for tiles of <paramref name="mr"/> rows, for the calling convention of
    /// Windows or of Linux and macOS.</summary>
    internal static byte[] EmitTile(int mr, bool isWindows)
    {
        var code = new X64Assembler();
        Begin(code, 2 * mr, isWindows);
        int loop = code.Here;
        code.Load(new Zmm(FirstB), Gpr.Rdx, 0);
        code.Load(new Zmm(FirstB + 1), Gpr.Rdx, LineBytes);
        code.PrefetchL2(Gpr.R10);
        code.Add(Gpr.R10, Gpr.R11);
        for (int row = 0; row < mr; row++)
        {
            var a = new Zmm(FirstA + row % 2);
            code.Broadcast(a, Gpr.Rax, row * sizeof(float));
            code.DotPairs(new Zmm(2 * row), a, new Zmm(FirstB));
            code.DotPairs(new Zmm(2 * row + 1), a, new Zmm(FirstB + 1));
        }
        code.Add(Gpr.Rax, WidthA * sizeof(float));
        code.Add(Gpr.Rdx, Nr * sizeof(float));
        code.Decrement(Gpr.R9);
        code.JumpBackIfNotZero(loop);
        for (int register = 0; register < 2 * mr; register++)
            code.Store(Gpr.R8, register * LineBytes, new Zmm(register));
        End(code, isWindows);
        return code.Code;
    }

    // The multiply-adds of the largest tile without any load.
    private static byte[] EmitPeak()
    {
        bool isWindows = OperatingSystem.IsWindows();
        var code = new X64Assembler();
        Begin(code, Accumulators, isWindows);
        code.Zero(new Zmm(FirstB));
        int loop = code.Here;
        for (int register = 0; register < Accumulators; register++)
            code.DotPairs(new Zmm(register), new Zmm(FirstB), new Zmm(FirstB));
        code.Decrement(Gpr.R9);
        code.JumpBackIfNotZero(loop);
        End(code, isWindows);
        return code.Code;
    }

    // Reads the operands and clears the accumulators. The first argument comes in rcx on Windows, else in rdi.
    private static void Begin(X64Assembler code, int accumulators, bool isWindows)
    {
        if (!isWindows)
            code.Move(Gpr.Rcx, Gpr.Rdi);
        Gpr[] fields = [Gpr.Rax, Gpr.Rdx, Gpr.R8, Gpr.R9, Gpr.R10, Gpr.R11];
        for (int field = 0; field < fields.Length; field++)
            code.Load(fields[field], Gpr.Rcx, field * sizeof(long));
        for (int register = FirstSaved; register < EndSaved && isWindows; register++)
            code.Store(Gpr.R8, SavedAt + (register - FirstSaved) * LineBytes, new Zmm(register));
        for (int register = 0; register < accumulators; register++)
            code.Zero(new Zmm(register));
    }

    private static void End(X64Assembler code, bool isWindows)
    {
        for (int register = FirstSaved; register < EndSaved && isWindows; register++)
            code.Load(new Zmm(register), Gpr.R8, SavedAt + (register - FirstSaved) * LineBytes);
        code.ClearUpper();
        code.Return();
    }
}
