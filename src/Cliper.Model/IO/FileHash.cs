using System.Security.Cryptography;

namespace Cliper.Model.IO;

/// <summary>Checksums by which files are known.</summary>
public static class FileHash
{
    /// <summary>The SHA-256 of a file in lower-case hexadecimal; of one of some gigabytes it takes seconds.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    public static string Sha256(string path, CancellationToken cancellation = default)
    {
        using FileStream stream = File.OpenRead(path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        for (int read; (read = stream.Read(buffer)) > 0;)
        {
            cancellation.ThrowIfCancellationRequested();
            hash.AppendData(buffer, 0, read);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
