using System.Reflection;
using Cliper.Kernels.Gpu.DeviceCode;

namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>The kernels of one generic method, one for each choice of type arguments, made when first asked for.</summary>
/// <param name="owner">Type that declares the method.</param>
/// <param name="method">Name of a static method of <paramref name="owner"/>.</param>
/// <param name="name">The kernels' name, before those of their types.</param>
/// <param name="threads">Number of threads of a block.</param>
/// <param name="minBlocks">Number of blocks that a multiprocessor must be able to hold.</param>
/// <param name="registers">Most registers of a thread.</param>
/// <param name="sharedBytes">Dynamic shared memory of a block, in bytes.</param>
/// <param name="target">The GPUs that they run on; SIMT kernels for bf16 get <see cref="GpuTarget.BFloat16"/>.</param>
internal sealed class KernelFamily(Type owner, string method, string name, int threads, int minBlocks, int registers, int sharedBytes = 0,
    GpuTarget target = GpuTarget.Simt)
{
    private readonly Dictionary<(Type, Type?, Type?, Type?), GpuKernel> _made = [];

    /// <summary>The <see cref="GpuKernel.Instructions"/> of each of them.</summary>
    public (int Mma, int LoadMatrix, int CopyAsync) Instructions { get; init; }

    /// <summary>The kernel for these type arguments.</summary>
    public GpuKernel this[Type first, Type? second = null, Type? third = null, Type? fourth = null]
    {
        get
        {
            lock (_made)
            {
                if (!_made.TryGetValue((first, second, third, fourth), out GpuKernel? kernel))
                    _made.Add((first, second, third, fourth), kernel = Make([.. new[] { first, second, third, fourth }.OfType<Type>()]));
                return kernel;
            }
        }
    }

    /// <summary>The kernels for both 16-bit formats, where the format is the only type parameter.</summary>
    public IEnumerable<GpuKernel> ForEachDtype16 => Dtypes.All16.Select(type => this[type.Dtype()]);

    /// <summary>The kernels for all floating-point types, where the pointer's type is the only type parameter.</summary>
    public IEnumerable<GpuKernel> ForEachFloating => Dtypes.AllFloating.Select(type => this[type.PointerType()]);

    private GpuKernel Make(Type[] types) => new(
        owner.GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(types), GpuKernel.NameOf(name, types),
        threads, minBlocks, registers, sharedBytes,
        target == GpuTarget.Simt && types.Any(Dtypes.UsesBf16) ? GpuTarget.BFloat16 : target)
    { Instructions = Instructions };
}
