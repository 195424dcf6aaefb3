namespace Cliper.Kernels.Memory;

/// <summary>
/// A device cannot be used, or no longer: no driver, no such device, too little memory, a kernel that its driver refuses. The
/// message says what was found and what to do. The program ends with exit code 4.
/// </summary>
public sealed class DeviceException : Exception
{
    /// <summary>An error of a device.</summary>
    public DeviceException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}
