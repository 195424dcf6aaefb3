using Cliper.Kernels.Memory;
using static Cliper.Kernels.Gpu.Cuda.CudaDriver;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>Captures what is submitted to a stream as an executable CUDA graph.</summary>
internal static class CudaGraph
{
    /// <summary>Captures without executing; the GPU's context is current.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="submit">Submits to the stream.</param>
    /// <param name="failure">Why there is no graph; null where there is one.</param>
    /// <returns>The executable graph, which the caller destroys; 0 where the driver refuses a call.</returns>
    public static nint Capture(nint stream, Action submit, out string? failure)
    {
        const int ThreadLocal = 1;
        failure = Failure(nameof(cuStreamBeginCapture_v2), cuStreamBeginCapture_v2(stream, ThreadLocal));
        if (failure is not null)
            return 0;
        try
        {
            submit();
        }
        catch (DeviceException reason)
        {
            failure = reason.Message;
        }
        // A capture that failed has to be ended too.
        int result = cuStreamEndCapture(stream, out nint graph);
        failure ??= Failure(nameof(cuStreamEndCapture), result);
        nint executable = 0;
        if (failure is null)
        {
            result = cuGraphInstantiateWithFlags(out executable, graph, 0);
            failure = Failure(nameof(cuGraphInstantiateWithFlags), result);
        }
        if (graph != 0)
            _ = cuGraphDestroy(graph);
        return failure is null ? executable : 0;
    }

    private static string? Failure(string call, int result) => result == 0 ? null : Failed(call, result);
}
