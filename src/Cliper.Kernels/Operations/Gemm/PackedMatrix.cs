using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The right operand of a product in the order in which the micro-kernel reads it, made once and used many times:
/// what a weight that does not change is kept as. Belongs to the device it was made on; dispose it before the device.
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
            CpuDevice host => Gemm.PackHost(host, matrix),
            Device other => throw Check.NoImplementation(nameof(PackedMatrix), other),
        };
    }

    /// <summary>Rows of the matrix: the depth of a product with it.</summary>
    public int Rows { get; }

    /// <summary>Columns of the matrix.</summary>
    public int Columns { get; }

    /// <summary>Panels of as many columns as a tile has, each [rows, tile columns].</summary>
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
