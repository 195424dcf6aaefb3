using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>The classes and functions that a pickle may name: those of tensors and of plain containers.</summary>
internal static class PickleAllowList
{
    /// <summary>Whether a class is one that TorchScript compiled: its objects are nothing but their
    /// attributes.</summary>
    public static bool IsScript(string module) =>
        module == "__torch__" || module.StartsWith("__torch__.", StringComparison.Ordinal);

    /// <summary>A name that is on the list.</summary>
    /// <param name="module">Module of the class or function.</param>
    /// <param name="name">Its name in the module.</param>
    /// <param name="fault">Makes the error of a sentence.</param>
    /// <exception cref="InputException">The name is not on the list.</exception>
    public static PickleGlobal Find(string module, string name, Func<string, InputException> fault)
    {
        bool known = IsScript(module) || (module, name) is ("collections", "OrderedDict")
            or ("torch._utils", "_rebuild_tensor" or "_rebuild_tensor_v2" or "_rebuild_parameter"
                or "_rebuild_parameter_with_state")
            or ("torch.jit._pickle", "build_intlist" or "build_doublelist" or "build_boollist" or "build_tensorlist")
            or ("torch", "Size") or ("_codecs", "encode") or ("__builtin__" or "builtins", "set")
            || (module == "torch" && StorageType(name) is not null);
        return known ? new PickleGlobal(module, name) : throw fault(
            $"asks for {ForeignText.Quote($"{module} {name}")}, which is neither a tensor nor a plain container. "
            + "It was not loaded: a pickle may run anything. If you trust the file, open it with PyTorch and save its "
            + "tensors alone: torch.save(model.state_dict(), 'weights.pt')");
    }

    /// <summary>Type of the elements of a class of storages in the module torch; null for another class.</summary>
    public static TensorType? StorageType(string name) => name switch
    {
        "FloatStorage" => TensorType.F32,
        "HalfStorage" => TensorType.F16,
        "BFloat16Storage" => TensorType.BF16,
        "DoubleStorage" => TensorType.F64,
        "LongStorage" => TensorType.I64,
        "IntStorage" => TensorType.I32,
        "ShortStorage" => TensorType.I16,
        "CharStorage" => TensorType.I8,
        "ByteStorage" => TensorType.U8,
        "BoolStorage" => TensorType.Bool,
        _ => null,
    };
}
