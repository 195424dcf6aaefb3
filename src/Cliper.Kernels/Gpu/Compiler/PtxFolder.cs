using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>
/// Compiled PTX on disk: ROOT/BUILD/KERNEL.ptx, one file per kernel. A file is valid PTX that ptxas takes as it is;
/// its first line is a comment with the build, everything of the kernel that the PTX depends on, and the SHA-256 of
/// the lines below. A file in which one of these does not match counts as absent.
/// </summary>
/// <param name="root">The folder, which need not exist.</param>
/// <param name="build">The build that compiles and launches the kernels; a name of 32 hexadecimal digits.</param>
internal sealed partial class PtxFolder(string root, string build)
{
    private const string Temporary = ".tmp";

    // A build has 12 MB. Several are kept, so that two versions, or a release and a debug build, do not evict each
    // other.
    private const int KeptBuilds = 4;

    private static readonly TimeSpan LongestWrite = TimeSpan.FromHours(1);

    /// <summary>The folder of this build's files.</summary>
    public string Path { get; } = System.IO.Path.Combine(root, build);

    /// <summary>
    /// Names the code that PTX is made from and by: this assembly, ILGPU, and the .NET library whose methods kernels
    /// call. The C# compiler derives a module's version id from all that it compiled, so the name changes with every
    /// line of code.
    /// </summary>
    public static string ThisBuild { get; } = NameOf(
        [typeof(PtxFolder), typeof(ILGPU.Context), typeof(ILGPU.Algorithms.XMath), typeof(object)]);

    /// <summary>
    /// Whether all of a kernel's code is of this assembly, so that <see cref="ThisBuild"/> changes with it.
    /// </summary>
    public static bool Covers(GpuKernel kernel) =>
        kernel.Method.Module == typeof(PtxFolder).Module && kernel.Method.GetGenericArguments().All(IsOwn);

    /// <summary>The kernel's PTX as it was written; null where there is no such file, or it fails a check.</summary>
    public string? Read(GpuKernel kernel)
    {
        string text;
        try
        {
            text = File.ReadAllText(FileOf(kernel));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        int end = text.IndexOf('\n') + 1;
        string ptx = text[end..];
        return text[..end] == Header(kernel, ptx) ? ptx : null;
    }

    /// <summary>
    /// Writes the kernel's PTX under a temporary name and renames it, so that processes that write and read at once
    /// find either nothing or a whole file. It is not flushed to the disk: the checksum finds what a crash of the
    /// machine tears.
    /// </summary>
    /// <exception cref="IOException">The place cannot be written to, or the disk is full.</exception>
    /// <exception cref="UnauthorizedAccessException">The place must not be written to.</exception>
    public void Write(GpuKernel kernel, string ptx)
    {
        string file = FileOf(kernel), temporary = $"{file}.{Guid.NewGuid():N}{Temporary}";
        Directory.CreateDirectory(Path);
        try
        {
            File.WriteAllText(temporary, Header(kernel, ptx) + ptx);
            File.Move(temporary, file, overwrite: true);
        }
        finally
        {
            // After the rename there is nothing under this name, and deleting nothing is no error.
            File.Delete(temporary);
        }
    }

    /// <summary>
    /// Deletes the PTX of all builds but the newest few, and what killed processes left half-written.
    /// </summary>
    /// <exception cref="IOException">Something cannot be deleted, perhaps as another process deletes it
    /// now.</exception>
    /// <exception cref="UnauthorizedAccessException">Something must not be deleted.</exception>
    public void Prune()
    {
        // Only folders named like builds: whoever sets the root may keep other things there.
        foreach (DirectoryInfo old in new DirectoryInfo(root).GetDirectories()
            .Where(folder => BuildName().IsMatch(folder.Name) && folder.Name != build)
            .OrderByDescending(folder => folder.LastWriteTimeUtc).Skip(KeptBuilds - 1))
            old.Delete(recursive: true);
        foreach (FileInfo left in new DirectoryInfo(Path).GetFiles("*" + Temporary)
            .Where(file => DateTime.UtcNow - file.LastWriteTimeUtc > LongestWrite))
            left.Delete();
    }

    /// <summary>Where the kernel's PTX is, or would be.</summary>
    public string FileOf(GpuKernel kernel)
    {
        // The name is for people, and not unique once it is cut; the hash is.
        const int MostOfName = 80, DigitsOfHash = 12;
        string name = NotOfNames().Replace(kernel.Name, "-");
        name = name[..Math.Min(name.Length, MostOfName)];
        return System.IO.Path.Combine(Path, $"{name}-{Hash(IdentityOf(kernel))[..DigitsOfHash]}.ptx");
    }

    private string Header(GpuKernel kernel, string ptx) =>
        $"// build {build}; {IdentityOf(kernel)}; SHA-256 {Hash(ptx)}\n";

    // These are, besides the code, all that KernelCompiler makes PTX of. Type.ToString gives full names, also of type
    // arguments.
    private static string IdentityOf(GpuKernel kernel)
    {
        string types = string.Join<Type>(", ", kernel.Method.GetGenericArguments());
        return $"{kernel.Name}; {kernel.Method.DeclaringType}.{kernel.Method.Name}<{types}>; {kernel.Threads} threads, "
            + $"{kernel.MinBlocks} blocks, {kernel.Target}, {(kernel.UsesDoubles ? "doubles" : "singles")}";
    }

    private static bool IsOwn(Type type) =>
        (type.Module == typeof(PtxFolder).Module || type.Module == typeof(object).Module)
        && type.GetGenericArguments().All(IsOwn);

    private static string NameOf(Type[] modules) =>
        Hash(string.Join(' ', modules.Select(type => type.Module.ModuleVersionId)))[..32];

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    [GeneratedRegex("^[0-9a-f]{32}$")]
    private static partial Regex BuildName();

    [GeneratedRegex("[^A-Za-z0-9]+")]
    private static partial Regex NotOfNames();
}
