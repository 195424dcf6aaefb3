using Cliper.Kernels.Memory;

namespace Cliper.Model.Diagnostics;

/// <summary>
/// An array of a benchmark, made when a measured operation first uses it: that of an operation which is left out is
/// never made.
/// </summary>
/// <param name="bytes">Its size.</param>
/// <param name="make">Makes it.</param>
internal sealed class BenchmarkArray(long bytes, Func<DeviceArray> make)
{
    private DeviceArray _made;

    /// <summary>Its size, whether or not it has been made.</summary>
    public long Bytes => bytes;

    /// <summary>The array.</summary>
    public DeviceArray Value => _made.IsNull ? _made = make() : _made;

    /// <summary>Frees the array if it has been made.</summary>
    public void Free()
    {
        if (!_made.IsNull)
            _made.Device.Free(_made);
        _made = default;
    }

    /// <summary>The array, as operations take it.</summary>
    public static implicit operator DeviceArray(BenchmarkArray array) => array.Value;

    /// <summary>The array as a gradient that is overwritten.</summary>
    public static implicit operator GradientTarget(BenchmarkArray array) => array.Value;
}
