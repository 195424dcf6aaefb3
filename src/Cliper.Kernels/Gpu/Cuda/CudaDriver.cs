using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>
/// The functions of the CUDA driver API: the library libcuda.so.1 (nvcuda.dll on Windows) that comes with NVIDIA's
/// driver. No CUDA toolkit is needed.
/// </summary>
internal static unsafe partial class CudaDriver
{
    private const string Library = "cuda";
    private static readonly Lazy<nint> Handle = new(Load);

    /// <summary>File name of the driver's library on this system.</summary>
    // libcuda.so, without the number, may be a toolkit's stub for linking, in which every call fails.
    public static string FileName => OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";

    /// <summary>Whether the driver's library is found.</summary>
    public static bool IsPresent => Handle.Value != 0;

    private static nint Load()
    {
        if (NativeLibrary.TryLoad(FileName, out nint handle))
            NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), (name, _, _) => name == Library
                ? handle : 0);
        return handle;
    }

    /// <summary>Throws unless a call succeeded.</summary>
    /// <param name="result">The call to the driver.</param>
    /// <param name="work">The work it belongs to, such as "launching Gemm"; null where the call says it all.</param>
    /// <param name="call">The name of the driver's function, which the compiler fills in from the call.</param>
    /// <exception cref="DeviceException">
    /// The call failed: <see cref="DeviceFailure.DriverOutOfMemory"/>, <see cref="DeviceFailure.Stopped"/> or
    /// <see cref="DeviceFailure.DriverCallFailed"/>.
    /// </exception>
    public static void Check(int result, string? work = null, [CallerArgumentExpression(nameof(result))] string call =
        "")
    {
        const int Success = 0, OutOfMemory = 2, DevicesUnavailable = 46, EccUncorrectable = 214, IllegalAddress = 700,
            LaunchTimeout = 702, ContextIsDestroyed = 709, HardwareStackError = 714, LaunchFailed = 719, Unknown = 999;
        if (result == Success)
            return;
        string failed = Failed(call, result), during = work is null ? "" : $", {work}";
        throw result switch
        {
            OutOfMemory => new DeviceException(DeviceFailure.DriverOutOfMemory, $"out of GPU memory{during}: {failed}"),
            DevicesUnavailable or EccUncorrectable or IllegalAddress or LaunchTimeout or ContextIsDestroyed or Unknown
                or (>= HardwareStackError and <= LaunchFailed) =>
                new DeviceException(DeviceFailure.Stopped, $"the GPU stopped{during}: {failed}"),
            _ => new DeviceException(DeviceFailure.DriverCallFailed, work is null ? failed : $"{work}: {failed}"),
        };
    }

    /// <summary>A failed call in the field's words, such as "cuInit failed: CUDA_ERROR_NO_DEVICE (100)".</summary>
    /// <param name="call">The name of the driver's function; arguments and the version of its signature are left
    /// out.</param>
    /// <param name="result">The result, not success.</param>
    public static string Failed(string call, int result)
    {
        string name = cuGetErrorName(result, out byte* text) == 0 ? Marshal.PtrToStringUTF8((nint)text)!
            : "unknown error";
        string function = call.Split('(')[0];
        return $"{(function.EndsWith("_v2", StringComparison.Ordinal) ? function[..^3] : function)} failed: {name} "
            + $"({result})";
    }

    [LibraryImport(Library)]
    public static partial int cuGetErrorName(int error, out byte* text);

    [LibraryImport(Library)]
    public static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    public static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    public static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetAttribute(out int value, int attribute, int device);

    [LibraryImport(Library)]
    public static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library)]
    public static partial int cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(Library)]
    public static partial int cuCtxSetCurrent(nint context);

    [LibraryImport(Library)]
    public static partial int cuMemGetInfo_v2(out nuint free, out nuint total);

    [LibraryImport(Library)]
    public static partial int cuMemAlloc_v2(out nint address, nuint bytes);

    [LibraryImport(Library)]
    public static partial int cuMemFree_v2(nint address);

    [LibraryImport(Library)]
    public static partial int cuMemHostAlloc(out nint address, nuint bytes, uint flags);

    [LibraryImport(Library)]
    public static partial int cuMemFreeHost(nint address);

    [LibraryImport(Library)]
    public static partial int cuMemcpyHtoDAsync_v2(nint target, nint source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemcpyDtoHAsync_v2(nint target, nint source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemcpyDtoDAsync_v2(nint target, nint source, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemsetD8Async(nint target, byte value, nuint bytes, nint stream);

    [LibraryImport(Library)]
    public static partial int cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library)]
    public static partial int cuStreamDestroy_v2(nint stream);

    [LibraryImport(Library)]
    public static partial int cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    public static partial int cuEventCreate(out nint created, uint flags);

    [LibraryImport(Library)]
    public static partial int cuEventDestroy_v2(nint ended);

    [LibraryImport(Library)]
    public static partial int cuEventRecord(nint recorded, nint stream);

    [LibraryImport(Library)]
    public static partial int cuEventSynchronize(nint awaited);

    [LibraryImport(Library)]
    public static partial int cuStreamWaitEvent(nint stream, nint awaited, uint flags);

    [LibraryImport(Library)]
    public static partial int cuStreamBeginCapture_v2(nint stream, int mode);

    [LibraryImport(Library)]
    public static partial int cuStreamEndCapture(nint stream, out nint graph);

    [LibraryImport(Library)]
    public static partial int cuGraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);

    [LibraryImport(Library)]
    public static partial int cuGraphDestroy(nint graph);

    [LibraryImport(Library)]
    public static partial int cuGraphExecDestroy(nint executable);

    [LibraryImport(Library)]
    public static partial int cuGraphLaunch(nint executable, nint stream);

    [LibraryImport(Library)]
    public static partial int cuModuleLoadDataEx(out nint module, byte* text, uint options, int* names, nint* values);

    [LibraryImport(Library)]
    public static partial int cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library)]
    public static partial int cuFuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library)]
    public static partial int cuLaunchKernel(nint function, uint blocksX, uint blocksY, uint blocksZ, uint threadsX,
        uint threadsY,
        uint threadsZ, uint sharedBytes, nint stream, nint* parameters, nint* extra);
}
