using System.Security.Cryptography;
using System.Text;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Ptx;

/// <summary>The PTX of every kernel of the catalogue as a whole: its hashes.</summary>
public static class KernelPtx
{
    /// <summary>
    /// Compiles every kernel, whatever a cache holds, and hashes its PTX. Two builds whose hashes agree launch the same kernels, so
    /// that a refactoring of C# that should not change any can be checked without a GPU.
    /// </summary>
    /// <param name="cancellation">Asks to stop before the next kernel.</param>
    /// <returns>Lowercase hexadecimal SHA-256 of each kernel's PTX, in the order of the names.</returns>
    /// <exception cref="OperationCanceledException">It was asked to stop.</exception>
    public static IReadOnlyList<(string Hash, string Name)> Hashes(CancellationToken cancellation = default) =>
    [
        .. KernelCatalogue.All.AsParallel().WithCancellation(cancellation)
            .Select(kernel => (HashOf(KernelCompiler.Compile(kernel)), kernel.Name))
            .ToArray().OrderBy(entry => entry.Name, StringComparer.Ordinal),
    ];

    private static string HashOf(string ptx) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ptx)));
}
