using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Many tensors or images in one launch: a table on the device with one struct each. The struct, such as
/// <c>TensorRow</c>, is what the host fills in; a kernel reads it through the struct's view, <c>TensorRowView</c>,
/// whose properties have the names of the fields. A test compares the two.
/// </summary>
internal static partial class TensorTable
{
    /// <summary>Uploads a table; the caller frees it after the launch.</summary>
    /// <typeparam name="TRow">A struct of whole 64-bit units: a long, a double, or two floats after each
    /// other.</typeparam>
    public static DeviceArray Upload<TRow>(GpuDevice gpu, ReadOnlySpan<TRow> rows) where TRow : unmanaged =>
        gpu.From(MemoryMarshal.Cast<TRow, int>(rows));
}
