namespace Cliper.Model.Weights;

/// <summary>A class or function that a pickle names. It stands for its name only: nothing is ever called.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public override string ToString() => $"{Module} {Name}";
}

/// <summary>A dictionary, or the attributes of an object of TorchScript.</summary>
internal sealed class PickleDictionary
{
    /// <summary>Whether it stands for an object, which gets its attributes later.</summary>
    public bool IsObject { get; init; }

    /// <summary>Keys as text, in the order of the pickle.</summary>
    public OrderedDictionary<string, object?> Items { get; set; } = new(StringComparer.Ordinal);
}

/// <summary>Elements of one type in a record of their own, as a persistent id names them.</summary>
internal sealed record PickleStorage(string Key, TensorType Type, long Elements);

/// <summary>A tensor's view of a storage, as the pickle states it; not yet checked.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);
