using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// A B operand of <see cref="Gemm"/>, packed once into the panels that the micro-kernel reads and used many times: the
/// form of a weight that does not change. It belongs to the device it was made on; dispose it before the device.
/// </summary>
public sealed class PackedMatrix : IDisposable
{
    private bool _disposed;

    internal PackedMatrix(DeviceArray data, int rows, int columns)
    {
        Data = data;
        Rows = rows;
        Columns = columns;
    }

    /// <summary>Packs <paramref name="matrix"/>, such as a weight's transpose.</summary>
    public static PackedMatrix Pack(Matrix matrix)
    {
        matrix.CheckFits(nameof(matrix));
        return matrix.Data.Device switch
        {
            CpuDevice cpu => Gemm.PackCpu(cpu, matrix),
            Device other => throw Check.NoImplementation(nameof(PackedMatrix), other),
        };
    }

    /// <summary>Rows of the matrix: the K of a GEMM with it.</summary>
    public int Rows { get; }

    /// <summary>Columns of the matrix: the N of a GEMM with it.</summary>
    public int Columns { get; }

    /// <summary>Panels of nr columns, each [K, nr].</summary>
    internal DeviceArray Data { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Data.Device.Free(Data);
    }
}
