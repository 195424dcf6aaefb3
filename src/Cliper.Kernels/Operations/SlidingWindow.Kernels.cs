using Cliper.Kernels.Gpu.DeviceCode;

namespace Cliper.Kernels.Operations;

/// <summary>A <see cref="WindowAxis"/> as kernels walk it backward, from inputs to outputs.</summary>
[DeviceCode]
internal static class WindowWalk
{
    /// <summary>
    /// Index of the output whose window sees an input through its element <paramref name="tap"/>; -1 where none does.
    /// </summary>
    /// <param name="place">The input, counted from the first zero of the padding.</param>
    /// <param name="tap">Index of the window's element.</param>
    /// <param name="stride">Inputs from one output to the next.</param>
    /// <param name="outputs">Number of outputs.</param>
    public static int OutputThrough(int place, int tap, int stride, int outputs)
    {
        int output = (place - tap) / stride;
        return place < tap || output * stride != place - tap || output >= outputs ? -1 : output;
    }
}
