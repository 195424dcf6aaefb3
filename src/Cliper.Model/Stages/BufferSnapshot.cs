using Cliper.Autograd;
using Cliper.Kernels.Memory;

namespace Cliper.Model.Stages;

/// <summary>A copy of tensors beside them, to go back to.</summary>
/// <param name="device">Device of the tensors.</param>
/// <param name="tensors">The tensors.</param>
internal sealed class BufferSnapshot(Device device, IReadOnlyList<Tensor> tensors) : IDisposable
{
    private readonly DeviceArray[] _copies =
        [.. tensors.Select(tensor => device.Allocate(tensor.Shape.Count, tensor.Type))];

    /// <summary>Copies the tensors as they are now.</summary>
    public void Take()
    {
        foreach ((Tensor tensor, DeviceArray copy) in tensors.Zip(_copies))
            device.Copy(tensor.Data, copy);
    }

    /// <summary>Gives the tensors what <see cref="Take"/> has copied.</summary>
    public void Restore()
    {
        foreach ((Tensor tensor, DeviceArray copy) in tensors.Zip(_copies))
        {
            device.Copy(copy, tensor.Data);
            tensor.MarkWritten();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceArray copy in _copies)
            device.Free(copy);
    }
}
