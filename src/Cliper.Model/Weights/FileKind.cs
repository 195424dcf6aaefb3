using System.Text;

namespace Cliper.Model.Weights;

/// <summary>Kind of a file of weights by its first bytes, whatever its name says.</summary>
internal static class FileKind
{
    /// <summary>A zip archive: PyTorch's checkpoints since 1.6, and TorchScript.</summary>
    public const string Zip = "zip";

    /// <summary>A pickle: PyTorch's legacy form.</summary>
    public const string Pickle = "pickle";

    /// <summary>Bytes of a file's beginning that are looked at.</summary>
    public const int Looked = 512;

    private const int TarMagicAt = 257;
    private const byte PickleProtocol = 0x80;

    /// <summary>
    /// <see cref="Zip"/>, <see cref="Pickle"/>, null for what may be safetensors, or a sentence that says what the file
    /// is instead and what to do.
    /// </summary>
    public static string? Of(ReadOnlySpan<byte> start)
    {
        if (start.StartsWith("PK\u0003\u0004"u8) || start.StartsWith("PK\u0005\u0006"u8))
            return Zip;
        if (start.Length > 1 && start[0] == PickleProtocol && start[1] is >= 2 and <= 5 && !MayBeHeader(start))
            return Pickle;
        if (start.StartsWith("version https://git-lfs"u8))
            return "a Git LFS pointer, not the file itself; run 'git lfs pull' where it was cloned, or download it";
        if (start.Length > TarMagicAt + 5 && start.Slice(TarMagicAt, 5).SequenceEqual("ustar"u8))
            return "a tar archive: PyTorch's form before version 0.2, or a packed folder; unpack it, or open it with "
                + "PyTorch and save its state dict anew";
        if (start.Length > 3 && start[0] == 0x89 && start[1..4].SequenceEqual("HDF"u8))
            return "an HDF5 file (Keras or TensorFlow); get the same model as safetensors or for PyTorch";
        if (start.StartsWith("GGUF"u8))
            return "a GGUF file; get the same model as safetensors or for PyTorch";
        string text = Encoding.Latin1.GetString(start).TrimStart();
        return text.StartsWith('<') ? "a web page or XML, not weights: an error page that was saved? Download it anew"
            : null;
    }

    // A safetensors header of such a length (0x80, then 2 to 5) ends in four zeros.
    private static bool MayBeHeader(ReadOnlySpan<byte> start) =>
        start.Length > SafeTensors.LengthBytes && !start[4..SafeTensors.LengthBytes].ContainsAnyExcept((byte)0)
        && start[SafeTensors.LengthBytes] == '{';
}
