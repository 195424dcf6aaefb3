using System.Reflection;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels;

/// <summary>
/// Every GPU kernel that is launched, so that each can be compiled, checked and assembled without a GPU. A class that
/// launches kernels lists them in a static property of type <see cref="IEnumerable{GpuKernel}"/>, by which they are
/// found.
/// </summary>
internal static class KernelRegistry
{
    /// <summary>All of them, by the names of the classes that launch them.</summary>
    public static IReadOnlyList<GpuKernel> All { get; } =
    [
        .. typeof(KernelRegistry).Assembly.GetTypes().Where(type => type.IsAbstract && type.IsSealed
            && !type.IsGenericType)
            .OrderBy(type => type.FullName, StringComparer.Ordinal)
            .SelectMany(type => type.GetProperties(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(property => property.PropertyType == typeof(IEnumerable<GpuKernel>))
            // A class may list the kernels of its parts again.
            .SelectMany(property => (IEnumerable<GpuKernel>)property.GetValue(null)!).Distinct(),
    ];
}
