using TorchSharp;
using static TorchSharp.torch;

namespace Cliper.Benchmarks.Peers;

/// <summary>Small conveniences for TorchSharp.</summary>
internal static class Libtorch
{
    /// <summary>An fp32 tensor of the given values.</summary>
    public static Tensor From(float[] values, params long[] shape) => tensor(values, shape);

    /// <summary>The same, rounded to bf16 if asked.</summary>
    public static Tensor In(this Tensor tensor, bool bf16) => bf16 ? tensor.to_type(ScalarType.BFloat16) : tensor;

    /// <summary>The elements of a tensor of fp32 or bf16.</summary>
    public static float[] ToArray(this Tensor tensor) =>
        tensor.detach().to_type(ScalarType.Float32).contiguous().data<float>().ToArray();

    /// <summary>Runs <paramref name="work"/> and ends every tensor made in it.</summary>
    public static Action Scoped(Action work) => () =>
    {
        using DisposeScope _ = NewDisposeScope();
        work();
    };
}
