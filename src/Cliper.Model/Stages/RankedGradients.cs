using System.Runtime.InteropServices;
using Cliper.Autograd;
using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;

namespace Cliper.Model.Stages;

/// <summary>Sums gradients over ranks, in flat buckets, so that small parameters cost no message each.</summary>
/// <param name="device">Device of the parameters.</param>
/// <param name="parameters">Parameters of which each rank has a part of the gradient.</param>
internal sealed class RankedGradients(Device device, IReadOnlyList<Tensor> parameters)
{
    // 16 MiB: large enough that the messages' latency does not count, small beside the gradients themselves.
    private const int BucketSize = 1 << 22;

    private readonly float[] _bucket = new float[Math.Min(BucketSize, parameters.Sum(tensor => tensor.Shape.Count))];

    /// <summary>Replaces each gradient by the sum of all ranks'. A rank that had no sample adds zeros.</summary>
    public void Sum()
    {
        if (device.Ranks.Size == 1)
            return;
        var waiting = new List<(DeviceArray Part, int Place)>();
        int filled = 0;
        foreach (Tensor parameter in parameters)
        {
            if (!parameter.HasGradient)
                device.Clear(parameter.GradientTarget().Array);
            DeviceArray gradient = parameter.Gradient;
            for (long start = 0; start < gradient.Length;)
            {
                int count = (int)Math.Min(gradient.Length - start, _bucket.Length - filled);
                DeviceArray part = gradient.Slice(start, count);
                device.Download(part, Bytes(filled, count));
                waiting.Add((part, filled));
                (filled, start) = (filled + count, start + count);
                if (filled == _bucket.Length)
                    filled = Send(waiting, filled);
            }
        }
        if (filled > 0)
            Send(waiting, filled);
    }

    private int Send(List<(DeviceArray Part, int Place)> waiting, int filled)
    {
        device.Ranks.Sum(_bucket.AsSpan(0, filled));
        foreach ((DeviceArray part, int place) in waiting)
            device.Upload(Bytes(place, (int)part.Length), part);
        waiting.Clear();
        return 0;
    }

    private Span<byte> Bytes(int start, int count) => MemoryMarshal.AsBytes(_bucket.AsSpan(start, count));
}
