namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>Four fp32 registers: a lane's part of a 16x8 accumulator, or 16 bytes of memory.</summary>
[DeviceCode]
internal struct F4
{
    public float X, Y, Z, W;
}

/// <summary>Two fp32 registers: 8 bytes of memory.</summary>
[DeviceCode]
internal struct F2
{
    public float X, Y;
}

/// <summary>
/// Four 32-bit registers: a lane's part of a 16x16 fragment of a 16-bit dtype, or 16 bytes of memory.
/// </summary>
[DeviceCode]
internal struct U4
{
    public uint X, Y, Z, W;
}
