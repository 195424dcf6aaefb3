using Cliper.Model.Clip;

namespace Cliper.Model.Export;

/// <summary>The input of exported graphs.</summary>
internal static class OnnxPixels
{
    /// <summary>Name of the input.</summary>
    public const string Name = "pixels";

    private const int Colors = 3;

    /// <summary>Declares the input and brings it to normalized planes.</summary>
    /// <param name="graph">The graph.</param>
    /// <param name="size">Rows and columns.</param>
    /// <param name="isFloat">Whether the input is float32 [N, 3, size, size] and normalized already; else it is uint8
    /// [N, size, size, 3].</param>
    /// <param name="mean">Subtracted from pixels in [0, 1].</param>
    /// <param name="std">Divisor of the difference.</param>
    /// <returns>[N, 3, size, size], normalized.</returns>
    public static string Add(OnnxGraph graph, int size, bool isFloat, ChannelValues mean, ChannelValues std)
    {
        if (isFloat)
            return graph.Input(Name, OnnxType.Float, -1, Colors, size, size);
        string bytes = graph.Cast(graph.Input(Name, OnnxType.UInt8, -1, size, size, Colors), OnnxType.Float);
        // The steps are rounded as the program's own table of 256 values is.
        string parts = graph.Node("Div", [bytes, graph.Constant([byte.MaxValue])]);
        string centered = graph.Node("Sub", [parts, graph.Constant(mean.ToArray(), Colors)]);
        string normalized = graph.Node("Div", [centered, graph.Constant(std.ToArray(), Colors)]);
        return graph.Transpose(normalized, 0, 3, 1, 2);
    }
}
