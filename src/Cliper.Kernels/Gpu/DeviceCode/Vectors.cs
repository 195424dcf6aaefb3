namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>Four fp32 registers: a thread's part of a 16 x 8 accumulator, or 16 bytes of memory.</summary>
internal struct F4
{
    public float X, Y, Z, W;
}

/// <summary>Two fp32 registers.</summary>
internal struct F2
{
    public float X, Y;
}

/// <summary>Four 32-bit registers: eight 16-bit numbers, or 16 bytes of memory.</summary>
internal struct U4
{
    public uint X, Y, Z, W;
}
