using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Cliper.Kernels.Cpu.MachineCode;

/// <summary>
/// Machine code in memory of its own. It is written first and made executable then: no page is ever both writable and
/// executable. Dispose it when none of its functions runs any more.
/// </summary>
internal sealed unsafe partial class ExecutableMemory : IDisposable
{
    private readonly nuint _bytes;
    private nint _address;

    /// <summary>Copies code into new memory and makes that executable.</summary>
    /// <exception cref="Win32Exception">The system refuses, as hardened ones may.</exception>
    public ExecutableMemory(ReadOnlySpan<byte> code)
    {
        _bytes = (nuint)code.Length;
        _address = OperatingSystem.IsWindows() ? Windows.Reserve(_bytes) : Posix.Reserve(_bytes);
        code.CopyTo(new Span<byte>((void*)_address, code.Length));
        try
        {
            if (OperatingSystem.IsWindows())
                Windows.MakeExecutable(_address, _bytes);
            else
                Posix.MakeExecutable(_address, _bytes);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Address of the code.</summary>
    public nint Address => _address;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_address == 0)
            return;
        if (OperatingSystem.IsWindows())
            Windows.Release(_address);
        else
            Posix.Release(_address, _bytes);
        _address = 0;
    }

    private static Win32Exception Refusal() => new(Marshal.GetLastPInvokeError());

    /// <summary>Linux and macOS.</summary>
    private static partial class Posix
    {
        private const int Read = 1, Write = 2, Execute = 4, Private = 2;
        private const nint Failed = -1;

        // macOS has other numbers, and wants code that is made at run time in a mapping of its own kind.
        private static int Flags => OperatingSystem.IsMacOS() ? Private | 0x1000 | 0x800 : Private | 0x20;

        public static nint Reserve(nuint bytes)
        {
            nint address = Map(0, bytes, Read | Write, Flags, -1, 0);
            return address != Failed ? address : throw Refusal();
        }

        public static void MakeExecutable(nint address, nuint bytes)
        {
            if (Protect(address, bytes, Read | Execute) != 0)
                throw Refusal();
        }

        public static void Release(nint address, nuint bytes) => _ = Unmap(address, bytes);

        [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
        private static partial nint Map(nint address, nuint bytes, int protection, int flags, int file, nint offset);

        [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
        private static partial int Protect(nint address, nuint bytes, int protection);

        [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
        private static partial int Unmap(nint address, nuint bytes);
    }

    private static partial class Windows
    {
        private const uint CommitAndReserve = 0x3000, ReleaseAll = 0x8000, ReadWrite = 4, ExecuteRead = 0x20;
        private const nint CurrentProcess = -1;

        public static nint Reserve(nuint bytes)
        {
            nint address = VirtualAlloc(0, bytes, CommitAndReserve, ReadWrite);
            return address != 0 ? address : throw Refusal();
        }

        public static void MakeExecutable(nint address, nuint bytes)
        {
            if (VirtualProtect(address, bytes, ExecuteRead, out _) == 0
                || FlushInstructionCache(CurrentProcess, address, bytes) == 0)
                throw Refusal();
        }

        public static void Release(nint address) => _ = VirtualFree(address, 0, ReleaseAll);

        [LibraryImport("kernel32", SetLastError = true)]
        private static partial nint VirtualAlloc(nint address, nuint bytes, uint type, uint protection);

        [LibraryImport("kernel32", SetLastError = true)]
        private static partial int VirtualProtect(nint address, nuint bytes, uint protection, out uint before);

        [LibraryImport("kernel32", SetLastError = true)]
        private static partial int FlushInstructionCache(nint process, nint address, nuint bytes);

        [LibraryImport("kernel32", SetLastError = true)]
        private static partial int VirtualFree(nint address, nuint bytes, uint type);
    }
}
