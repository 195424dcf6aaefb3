using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Backends;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>
/// Compiles C# kernels to PTX, without a GPU or driver. The optimization level is O1: O2 of ILGPU 1.5.3 moves loads
/// across barriers and stores. The instruction set is pinned, so that the PTX that is tested is the PTX that a driver
/// gets; labels and names are renumbered, so that it does not depend on what was compiled before and the driver's cache
/// finds it again.
/// </summary>
internal static partial class KernelCompiler
{
    /// <summary>The entry point's name in every kernel's PTX.</summary>
    public const string Entry = "kernel";

    // ILGPU's context is not thread-safe: a thread has one to itself while it compiles. The contexts in Singles turn
    // fp64 into fp32, which serves all kernels but those that declare fp64.
    private static readonly ConcurrentBag<Context> Singles = [], Doubles = [];

    /// <summary>Compiles a kernel to PTX. Threads may compile at once.</summary>
    /// <exception cref="InvalidOperationException">ILGPU does not compile the method.</exception>
    public static string Compile(GpuKernel kernel)
    {
        ConcurrentBag<Context> contexts = kernel.UsesDoubles ? Doubles : Singles;
        Context context = contexts.TryTake(out Context? idle) ? idle : Create(kernel.UsesDoubles ? MathMode.Default
            : MathMode.Fast32BitOnly);
        try
        {
            GpuTargetRow target = kernel.Target.Row();
            CudaArchitecture architecture = target.Capability < 80 ? CudaArchitecture.SM_70 : CudaArchitecture.SM_80;
            string ptx;
            using (var backend = new PTXBackend(context, architecture, CudaInstructionSet.ISA_78, null!))
            {
                EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method);
                ptx = ((PTXCompiledKernel)backend.Compile(entry, new KernelSpecialization(kernel.Threads,
                    kernel.MinBlocks))).PTXAssembly;
            }
            // ILGPU caches a kernel's methods in their optimized form, which would change the PTX of later kernels.
            context.ClearCache(ClearCacheMode.Everything);
            contexts.Add(context);
            return Canonicalize(ptx, target);
        }
        catch (Exception failure)
        {
            // A failed compilation spoils ILGPU's context for all later ones.
            context.Dispose();
            throw new InvalidOperationException($"{kernel.Name} does not compile: {failure.GetBaseException().Message}",
                failure);
        }
    }

    private static Context Create(MathMode mode) => Context.Create(builder =>
        builder.Optimize(OptimizationLevel.O1).Math(mode).EnableAlgorithms().WithPtx(typeof(Ptx))
        .WithPtx(typeof(Wgmma)));

    /// <summary>
    /// Writes the header, which ILGPU cannot for Hopper, keeps the entry point, and numbers names in the order of their
    /// first use. Additions and multiplications in fp64 get a rounding mode: without one the driver may contract them
    /// into fma, which the CPU never does.
    /// </summary>
    private static string Canonicalize(string ptx, GpuTargetRow target)
    {
        ptx = ptx.ReplaceLineEndings("\n");
        int entry = ptx.LastIndexOf(".visible .entry", StringComparison.Ordinal);
        var text = new StringBuilder($".version {target.PtxVersion}\n.target {target.Architecture}\n");
        foreach (string line in ptx[..entry].Split('\n'))
            if (line.StartsWith(".address_size", StringComparison.Ordinal)
                || line.StartsWith(".extern .shared", StringComparison.Ordinal))
                text.Append(line).Append('\n');
        string name = EntryName().Match(ptx, entry).Groups[1].Value;
        text.Append(Rounded().Replace(Comment().Replace(ptx[entry..], ""), "$1.rn.f64"));
        var names = new Dictionary<string, string> { [name] = Entry };
        return Name().Replace(text.ToString(), match =>
        {
            if (!names.TryGetValue(match.Value, out string? replacement))
            {
                // Registers are numbered within the kernel; a name that ILGPU numbers over all kernels has an
                // underscore. Parameters lose their C# names, so that renaming one leaves the PTX, and its hash, as
                // they are.
                string stem = match.Groups[1].Value;
                bool isParameter = stem.StartsWith('_') && !stem.StartsWith("__", StringComparison.Ordinal);
                replacement = $"{(isParameter ? "p" : stem)}_{names.Count}";
                names.Add(match.Value, replacement);
            }
            return replacement;
        });
    }

    [GeneratedRegex(@"\.visible \.entry (\w+)")]
    private static partial Regex EntryName();

    [GeneratedRegex(@"[ \t]*//[^\n]*")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\b(add|sub|mul)\.f64\b")]
    private static partial Regex Rounded();

    [GeneratedRegex(@"(?<![\w%.])(?!sm_|ex2\b|lg2\b)([A-Za-z_]\w*?)_?\d+\b|(?<=\.entry )(\w+)")]
    private static partial Regex Name();
}
