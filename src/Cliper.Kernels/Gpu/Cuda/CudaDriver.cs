using System.Reflection;
using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>
/// The calls to NVIDIA's driver, and the only ones outside .NET. The driver is the library libcuda.so.1 (nvcuda.dll on Windows);
/// no toolkit is needed.
/// </summary>
internal static unsafe partial class CudaDriver
{
    private const string Library = "cuda";
    private static readonly Lazy<nint> Handle = new(Load);

    /// <summary>Whether there is a driver at all.</summary>
    public static bool IsPresent => Handle.Value != 0;

    private static nint Load()
    {
        // libcuda.so, without the number, is at times a toolkit's stub that can do nothing.
        if (NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1", out nint handle))
            NativeLibrary.SetDllImportResolver(Assembly.GetExecutingAssembly(), (name, _, _) => name == Library ? handle : 0);
        return handle;
    }

    /// <summary>Throws what a result other than success means.</summary>
    /// <param name="result">As a call returned it.</param>
    /// <param name="doing">What was tried, as in "reading from the device".</param>
    /// <exception cref="DeviceException">The result is not success.</exception>
    public static void Check(int result, string doing)
    {
        const int Success = 0, OutOfMemory = 2, Unavailable = 46, Uncorrectable = 214, IllegalAddress = 700, TimedOut = 702, Destroyed = 709,
            FirstFault = 714, LastFault = 719, Unknown = 999;
        if (result == Success)
            return;
        string name = NameOfError(result);
        throw new DeviceException(result switch
        {
            OutOfMemory => $"out of GPU memory, {doing}: a smaller batch, or more accumulated micro-batches of a smaller one, needs less",
            Unavailable or Uncorrectable or IllegalAddress or TimedOut or Destroyed or (>= FirstFault and <= LastFault) or Unknown =>
                $"the GPU stopped, {doing} ({name}): the run has to start again from its last checkpoint; if it happens again, "
                + "please report it with what CLIPER_CUDA_SYNC=1 says, which names the kernel",
            _ => $"the GPU's driver refused, {doing}: {name}",
        });
    }

    /// <summary>A result's name, such as CUDA_ERROR_OUT_OF_MEMORY.</summary>
    public static string NameOfError(int result) =>
        cuGetErrorName(result, out byte* text) == 0 ? Marshal.PtrToStringUTF8((nint)text)! : $"CUDA error {result}";

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
    public static partial int cuLaunchKernel(nint function, uint blocksX, uint blocksY, uint blocksZ, uint threadsX, uint threadsY,
        uint threadsZ, uint sharedBytes, nint stream, nint* parameters, nint* extra);
}
