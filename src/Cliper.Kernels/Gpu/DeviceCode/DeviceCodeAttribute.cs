namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// Marks C# that ILGPU compiles to PTX: a kernel's entry point, or a type whose methods only kernels call. Such code
/// obeys other rules than host code does (no allocation, no exceptions, no virtual calls, flags as int, loops over
/// registers unrolled by type); docs/device-code.md explains them.
/// </summary>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Struct | AttributeTargets.Class)]
internal sealed class DeviceCodeAttribute : Attribute;
