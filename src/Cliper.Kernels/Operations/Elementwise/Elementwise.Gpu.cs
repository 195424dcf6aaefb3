using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// y = f(a, b) or y += f(a, b), element by element on a GPU: 16-byte accesses, fp32 and 16-bit formats in any mixture.
/// </summary>
internal static partial class ElementwiseKernels
{
    private const int Threads = 256, PerThread = 8;

    private static readonly KernelFamily Family = new(typeof(ElementwiseKernels), nameof(ElementwiseKernel),
        "Element", Threads, 1, 64);

    /// <summary>Runs over all elements of <paramref name="y"/>.</summary>
    /// <param name="gpu">Where.</param>
    /// <param name="a">Operand of as many elements as <paramref name="y"/>.</param>
    /// <param name="b">Operand of as many, or one for all; null where the function reads no second operand.</param>
    /// <param name="y">The result.</param>
    /// <param name="factor">Given to the function.</param>
    /// <param name="accumulate">Whether to add to <paramref name="y"/>.</param>
    public static void Run<TFunction>(GpuDevice gpu, DeviceArray a, DeviceArray b, DeviceArray y, float factor = 0,
        bool accumulate = false) where TFunction : struct, IElementFunction
    {
        bool one = !b.IsNull && b.Length == 1 && y.Length != 1;
        // A b that is one for all is read by its own scalar load and needs no alignment.
        bool vectorized = (a.Address | y.Address | (one ? 0 : b.Address)) % 16 == 0;
        gpu.Run(Find<TFunction>(a.Type, b.IsNull ? a.Type : b.Type, y.Type), new Blocks(Blocks.Cover(y.Length,
            Threads * PerThread)), a, b, y, y.Length, factor, accumulate, one, vectorized);
    }

    /// <summary>The kernel of a function and the types of its operands.</summary>
    public static GpuKernel Find<TFunction>(ElementType a, ElementType b, ElementType y) where TFunction : struct,
        IElementFunction =>
        Family[typeof(TFunction), a.PointerType(), b.PointerType(), y.PointerType()];

    /// <summary>
    /// Those that operations use. Each <see cref="IUnaryOperation"/> of this assembly has its kernels: it is found by
    /// reflection, so that a new one is listed nowhere.
    /// </summary>
    internal static IEnumerable<GpuKernel> GpuKernels
    {
        get
        {
            const ElementType F = ElementType.Float32;
            foreach (ElementType type in Dtypes.AllFloating)
            {
                yield return Find<Sum>(type, type, type);
                Type pointer = type.PointerType();
                foreach (Type operation in UnaryOperations)
                {
                    yield return Family[typeof(Forward<>).MakeGenericType(operation), pointer, pointer, pointer];
                    yield return Family[typeof(Backward<>).MakeGenericType(operation), pointer, pointer, pointer];
                }
            }
            yield return Find<Product>(F, F, F);
            yield return Find<Second>(F, F, F);
            yield return Find<Scaled>(F, F, F);
            yield return Find<Same>(F, F, F);
            foreach (ElementType type in Dtypes.All16)
            {
                yield return Find<Same>(F, F, type);
                yield return Find<Same>(type, type, F);
            }
        }
    }

    /// <summary>Every element-wise operation, by name.</summary>
    internal static IEnumerable<Type> UnaryOperations => typeof(IUnaryOperation).Assembly.GetTypes()
        .Where(type => type.IsValueType && typeof(IUnaryOperation).IsAssignableFrom(type))
        .OrderBy(type => type.Name, StringComparer.Ordinal);
}
