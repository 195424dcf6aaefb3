using TorchSharp;
using static TorchSharp.torch;

namespace Cliper.Benchmarks.Peers;

/// <summary>Small conveniences for TorchSharp.</summary>
internal static class Libtorch
{
    /// <summary>An fp32 tensor of the given values.</summary>
    public static Tensor From(float[] values, params long[] shape) => tensor(values, shape);

    /// <summary>The elements of an fp32 tensor.</summary>
    public static float[] ToArray(this Tensor tensor) => tensor.detach().contiguous().data<float>().ToArray();

    /// <summary>Runs <paramref name="work"/> and ends every tensor made in it.</summary>
    public static Action Scoped(Action work) => () =>
    {
        using DisposeScope _ = NewDisposeScope();
        work();
    };
}
