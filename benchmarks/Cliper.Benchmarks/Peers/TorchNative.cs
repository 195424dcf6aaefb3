using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Cliper.Benchmarks.Peers;

/// <summary>
/// Makes TorchSharp's native library load where the C++ library is older than the one it was built with. It asks for
/// version GLIBCXX_3.4.32 (GCC 13; Debian 12 has 3.4.30) on account of one symbol, std::ios_base_library_init, which
/// newer headers name so that the linker pulls in a newer library, and which nothing ever calls: the file holds no
/// relocation for it. Marking the version need as weak is therefore all it takes for the dynamic loader to accept what
/// is there.
/// </summary>
internal static class TorchNative
{
    private const string Version = "GLIBCXX_3.4.32";
    private const ushort Weak = 2;

    /// <summary>Call before anything of TorchSharp is touched.</summary>
    public static void Prepare()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so");
        if (!OperatingSystem.IsLinux() || !File.Exists(path) || NativeLibrary.TryLoad(path, out _))
            return;
        byte[] library = File.ReadAllBytes(path);
        if (!MarkWeak(library))
            return;
        // A new file in place of the old: the old one may be a hard link into the package cache.
        string temporary = path + ".new";
        File.WriteAllBytes(temporary, library);
        File.Move(temporary, path, overwrite: true);
    }

    // An entry of the table of needed versions (Elf64_Vernaux) begins with the hash of the name, then 16 bits of flags.
    private static bool MarkWeak(Span<byte> library)
    {
        Span<byte> entry = stackalloc byte[6];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, ElfHash(Version));
        int at = library.IndexOf(entry);
        if (at < 0)
            return false;
        if (library[(at + 1)..].IndexOf(entry) >= 0)
            throw new InvalidDataException($"{Version} is needed at more than one place: look at libLibTorchSharp.so");
        BinaryPrimitives.WriteUInt16LittleEndian(library[(at + 4)..], Weak);
        return true;
    }

    /// <summary>The hash of the System V ABI's symbol tables.</summary>
    private static uint ElfHash(string name)
    {
        uint hash = 0;
        foreach (char letter in name)
        {
            hash = (hash << 4) + letter;
            uint high = hash & 0xf0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }
        return hash;
    }
}
