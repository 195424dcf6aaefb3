using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Cliper.Kernels.Gpu.Compiler;

namespace Cliper.Kernels;

/// <summary>The PTX of all GPU kernels: its hashes, and its files for starts that need not compile.</summary>
public static class KernelPtx
{
    /// <summary>The result of <see cref="Write"/>.</summary>
    /// <param name="Folder">The folder that now holds the PTX of every kernel for this build.</param>
    /// <param name="Kernels">Number of kernels.</param>
    /// <param name="Compiled">Number of them that had to be compiled; the others were there.</param>
    /// <param name="Bytes">Size of the files together.</param>
    public readonly record struct Written(string Folder, int Kernels, int Compiled, long Bytes);

    /// <summary>
    /// The folder in the user's cache, which need not exist; null where it is switched off or there is no home.
    /// </summary>
    public static string? UserFolder => PtxCache.UserFolder;

    /// <summary>
    /// Compiles every kernel, whatever a cache holds, and hashes its PTX. Two builds whose hashes agree launch the same
    /// kernels, so a refactoring of C# that should not change any can be checked without a GPU.
    /// </summary>
    /// <param name="cancellation">Asks to stop before the next kernel.</param>
    /// <returns>Lowercase hexadecimal SHA-256 of each kernel's PTX, in the order of the names.</returns>
    /// <exception cref="OperationCanceledException">It was asked to stop.</exception>
    public static IReadOnlyList<(string Hash, string Name)> Hashes(CancellationToken cancellation = default) =>
    [
        .. InParallel(kernel => (HashOf(KernelCompiler.Compile(kernel)), kernel.Name), cancellation)
            .OrderBy(entry => entry.Name, StringComparer.Ordinal),
    ];

    /// <summary>Compiles every kernel whose PTX for this build a folder lacks, and writes it there.</summary>
    /// <param name="folder">Its subfolder named after the build takes the files; both are made when missing.</param>
    /// <param name="cancellation">Asks to stop before the next kernel; what has been written stays and is good.</param>
    /// <exception cref="IOException">The folder cannot be written to, or the disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder must not be written to.</exception>
    /// <exception cref="OperationCanceledException">It was asked to stop.</exception>
    public static Written Write(string folder, CancellationToken cancellation = default)
    {
        var files = new PtxFolder(Path.GetFullPath(folder), PtxFolder.ThisBuild);
        (bool Compiled, long Bytes)[] written = InParallel(kernel =>
        {
            bool compiles = files.Read(kernel) is null;
            if (compiles)
                files.Write(kernel, KernelCompiler.Compile(kernel));
            return (compiles, new FileInfo(files.FileOf(kernel)).Length);
        }, cancellation);
        return new(files.Path, written.Length, written.Count(kernel => kernel.Compiled),
            written.Sum(kernel => kernel.Bytes));
    }

    // Threads take kernels one by one: some take ten times as long as others, and like ones stand side by side.
    private static T[] InParallel<T>(Func<GpuKernel, T> work, CancellationToken cancellation) =>
    [
        .. Partitioner.Create(KernelRegistry.All, EnumerablePartitionerOptions.NoBuffering).AsParallel()
            .WithCancellation(cancellation).Select(work),
    ];

    private static string HashOf(string ptx) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ptx)));
}
