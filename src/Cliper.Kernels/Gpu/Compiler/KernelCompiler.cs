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
/// C# kernel to PTX, without a GPU or driver. Optimisation level O1 alone: O2 of ILGPU 1.5.3 moves loads across barriers and
/// stores. The instruction set is pinned, so that the text that is tested is the text that a driver gets; labels and names are
/// renumbered, so that it does not depend on what was compiled before and the driver's cache on disk finds it again.
/// </summary>
internal static partial class KernelCompiler
{
    /// <summary>The entry point's name in every kernel's text.</summary>
    public const string Entry = "kernel";

    // ILGPU's context is not safe for threads that compile at once: each has one of its own while it compiles.
    // Most turn every double into a single, which serves all kernels but those that say they need doubles.
    private static readonly ConcurrentBag<Context> Singles = [], Doubles = [];

    /// <summary>PTX version and architecture of a text. Drivers from CUDA 11.8 on accept 7.8, from 12.0 on 8.0.</summary>
    public static (string Version, string Architecture) Header(GpuTarget target) => target switch
    {
        GpuTarget.Simt => ("7.8", "sm_70"),
        GpuTarget.BFloat16 or GpuTarget.MmaSync => ("7.8", "sm_80"),
        _ => ("8.0", "sm_90a"),
    };

    /// <summary>The kernel's text. Threads may ask at once.</summary>
    public static string Compile(GpuKernel kernel)
    {
        ConcurrentBag<Context> contexts = kernel.UsesDoubles ? Doubles : Singles;
        Context context = contexts.TryTake(out Context? idle) ? idle : Create(kernel.UsesDoubles ? MathMode.Default : MathMode.Fast32BitOnly);
        try
        {
            CudaArchitecture target = kernel.Target == GpuTarget.Simt ? CudaArchitecture.SM_70 : CudaArchitecture.SM_80;
            string text;
            using (var backend = new PTXBackend(context, target, CudaInstructionSet.ISA_78, null!))
            {
                EntryPointDescription entry = EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method);
                text = ((PTXCompiledKernel)backend.Compile(entry, new KernelSpecialization(kernel.Threads, kernel.MinBlocks))).PTXAssembly;
            }
            // What ILGPU keeps of a kernel's methods has been optimised, and would change the texts of kernels that come after.
            context.ClearCache(ClearCacheMode.Everything);
            contexts.Add(context);
            return Canonicalize(text, Header(kernel.Target));
        }
        catch (Exception failure)
        {
            // A failed compilation spoils ILGPU's context for all later ones.
            context.Dispose();
            throw new InvalidOperationException($"{kernel.Name} does not compile: {failure.GetBaseException().Message}", failure);
        }
    }

    private static Context Create(MathMode mode) => Context.Create(builder =>
        builder.Optimize(OptimizationLevel.O1).Math(mode).EnableAlgorithms().WithPtx(typeof(Ptx)).WithPtx(typeof(Wgmma)));

    /// <summary>
    /// Writes the header, which ILGPU cannot for Hopper, keeps the entry point, and numbers names in the order of their first use. Sums and
    /// products in fp64 say how they round: without that the driver may join a product and a sum into one rounding, which the host never does.
    /// </summary>
    private static string Canonicalize(string ptx, (string Version, string Architecture) header)
    {
        ptx = ptx.ReplaceLineEndings("\n");
        int entry = ptx.LastIndexOf(".visible .entry", StringComparison.Ordinal);
        var text = new StringBuilder($".version {header.Version}\n.target {header.Architecture}\n");
        foreach (string line in ptx[..entry].Split('\n'))
            if (line.StartsWith(".address_size", StringComparison.Ordinal) || line.StartsWith(".extern .shared", StringComparison.Ordinal))
                text.Append(line).Append('\n');
        string name = EntryName().Match(ptx, entry).Groups[1].Value;
        text.Append(Rounded().Replace(Comment().Replace(ptx[entry..], ""), "$1.rn.f64"));
        var names = new Dictionary<string, string> { [name] = Entry };
        return Name().Replace(text.ToString(), match =>
        {
            if (!names.TryGetValue(match.Value, out string? replacement))
            {
                // A register's number is its own within the kernel; what ILGPU numbers over all kernels has an underscore before.
                // Parameters lose their C# names, so that renaming one leaves the text, and its hash, as they are.
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
