using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Cliper.Kernels.Gpu.DeviceCode;

namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>
/// The kernels that one generic method gives, one for each choice of its type parameters. It makes a kernel when it
/// is first asked for and returns the same object ever after; a look-up of an existing kernel takes no lock.
/// </summary>
/// <param name="owner">Class of the method.</param>
/// <param name="method">Name of a static, not public method of <paramref name="owner"/>.</param>
/// <param name="name">The kernels' name, to which those of their types are added.</param>
/// <param name="threads">Threads of a block.</param>
/// <param name="minBlocks">Blocks that a multiprocessor must be able to hold.</param>
/// <param name="registers">Most registers of a thread.</param>
/// <param name="sharedBytes">Dynamic shared memory of a block.</param>
internal sealed class KernelFamily(Type owner, string method, string name, int threads, int minBlocks, int registers,
    int sharedBytes = 0)
{
    private readonly ConcurrentDictionary<TypeArguments, GpuKernel> _made = [];

    /// <summary>The GPU they need; kernels of bf16 need at least <see cref="GpuTarget.BFloat16"/>.</summary>
    public GpuTarget Target { get; init; } = GpuTarget.Simt;

    /// <summary>The instructions that each of the kernels holds, see <see cref="GpuKernel.Instructions"/>.</summary>
    public (int Mma, int LoadMatrix, int CopyAsync) Instructions { get; init; }

    /// <summary>The kernel of one to six type arguments, in the order of the method's type parameters.</summary>
    /// <exception cref="ArgumentException">The types do not fit the method.</exception>
    public GpuKernel this[params ReadOnlySpan<Type> types]
    {
        get
        {
            var key = new TypeArguments(types);
            return _made.TryGetValue(key, out GpuKernel? kernel) ? kernel : _made.GetOrAdd(key, Make(types.ToArray()));
        }
    }

    /// <summary>The kernels of each 16-bit dtype, which is the only type parameter.</summary>
    public IEnumerable<GpuKernel> ForEachDtype16 => Dtypes.All16.Select(type => this[type.Dtype()]);

    /// <summary>The kernels of each floating-point type, which is the only type parameter.</summary>
    public IEnumerable<GpuKernel> ForEachFloating => Dtypes.AllFloating.Select(type => this[type.PointerType()]);

    [UnconditionalSuppressMessage("Trimming", "IL2060", Justification = GpuDevices.NeedsCompiler)]
    [UnconditionalSuppressMessage("Trimming", "IL2080", Justification = GpuDevices.NeedsCompiler)]
    [UnconditionalSuppressMessage("AOT", "IL3050", Justification = GpuDevices.NeedsCompiler)]
    private GpuKernel Make(Type[] types) => new(
        owner.GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(types),
        GpuKernel.NameOf(name, types),
        threads, minBlocks, registers, sharedBytes,
        Target == GpuTarget.Simt && types.Any(Dtypes.UsesBf16) ? GpuTarget.BFloat16 : Target)
    { Instructions = Instructions };

    // A key without an array, so that a look-up allocates nothing.
    private readonly record struct TypeArguments(Type First, Type? Second, Type? Third, Type? Fourth, Type? Fifth,
        Type? Sixth)
    {
        public TypeArguments(ReadOnlySpan<Type> types)
            : this(types[0], At(types, 1), At(types, 2), At(types, 3), At(types, 4), At(types, 5))
        {
            if (types.Length > 6)
                throw new ArgumentException($"a kernel has at most 6 type parameters, given {types.Length}",
                    nameof(types));
        }

        private static Type? At(ReadOnlySpan<Type> types, int index) => index < types.Length ? types[index] : null;
    }
}
