namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// The PTX that a method stands for in a kernel; its C# body is what ILGPU's CPU accelerator runs. $0, $1 and so on are
/// registers: first the flattened return value, then the flattened arguments. $sN is the 32-bit shared-memory address
/// of a <c>ref</c> argument, $iN an argument that is a constant to the compiler, as a literal. {%x&lt;8>} lists the
/// registers %x0 to %x7.
/// </summary>
/// <param name="text">One or more instructions, each with its semicolon.</param>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PtxAttribute(string text) : Attribute
{
    /// <summary>The instructions.</summary>
    public string Text { get; } = text;
}
