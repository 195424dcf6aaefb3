using System.Globalization;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// The tensors and plain values of a PyTorch file by name: keys of dictionaries, attributes of objects and places in
/// lists, joined by dots. Every tensor is checked against the storage that it shows.
/// </summary>
/// <param name="fileLength">Bytes of the file.</param>
/// <param name="fault">Makes the error of a sentence.</param>
internal sealed class PyTorchContent(long fileLength, Func<string, InputException> fault)
{
    // Limits of what a small pickle may unfold to by naming one value many times.
    private const int MostLeaves = 200_000, DeepestPath = 32, LongestName = 1000, LongestValue = 200;

    /// <summary>Bytes that a view may take although its storage has fewer, as expanded positions do.</summary>
    private const int SmallView = 1 << 20;

    private const int MostAxes = 16;

    private readonly Dictionary<string, TensorEntry> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorPlacement> _placements = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<PickleStorage, long> _storages = [];
    private int _leaves;

    /// <summary>The tensors.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors => _tensors;

    /// <summary>Where each tensor's elements are.</summary>
    public IReadOnlyDictionary<string, TensorPlacement> Placements => _placements;

    /// <summary>Plain values as text, the long ones cut.</summary>
    public IReadOnlyDictionary<string, string> Values => _values;

    /// <summary>Takes up all that a pickle holds.</summary>
    /// <param name="value">The pickle's value.</param>
    /// <param name="place">Finds the byte of the file at which a storage begins.</param>
    /// <exception cref="InputException">A tensor does not lie within its storage, or the value unfolds to too
    /// much.</exception>
    public void Add(object? value, Func<PickleStorage, long> place) => Flatten("", value, place, 0);

    /// <summary>Gives every tensor and plain value its name.</summary>
    private void Flatten(string name, object? value, Func<PickleStorage, long> place, int depth)
    {
        if (++_leaves > MostLeaves || depth > DeepestPath || name.Length > LongestName)
            throw fault($"unfolds to more than {MostLeaves:N0} values, {DeepestPath} levels or names of {LongestName} "
                + "letters; save the model's state dict alone");
        switch (value)
        {
            case PickleDictionary dictionary:
                foreach ((string key, object? item) in dictionary.Items)
                    Flatten(Below(name, key), item, place, depth + 1);
                break;
            case List<object?> or object?[]:
                int index = 0;
                foreach (object? item in (IEnumerable<object?>)value)
                    Flatten(Below(name, (index++).ToString(CultureInfo.InvariantCulture)), item, place, depth + 1);
                break;
            case PickleTensor tensor:
                AddTensor(name.Length == 0 ? "tensor" : name, tensor, place);
                break;
            case bool or long or double or string:
                string text = Convert.ToString(value, CultureInfo.InvariantCulture)!;
                _values.TryAdd(name, text.Length > LongestValue ? text[..LongestValue] + "…" : text);
                break;
        }
    }

    private static string Below(string name, string key) => name.Length == 0 ? key : $"{name}.{key}";

    private void AddTensor(string name, PickleTensor tensor, Func<PickleStorage, long> place)
    {
        string what = $"tensor {ForeignText.Quote(name)}";
        long extent = 1;
        var entry = new TensorEntry(name, tensor.Storage.Type, tensor.Shape);
        if (tensor.Shape.Length > MostAxes || tensor.Strides.Length != tensor.Shape.Length || tensor.Offset < 0
            || tensor.Shape.Any(size => size < 0) || tensor.Strides.Any(stride => stride < 0))
            throw Impossible();
        if (!_storages.TryGetValue(tensor.Storage, out long start))
            _storages[tensor.Storage] = start = place(tensor.Storage);
        try
        {
            checked
            {
                for (int axis = 0; axis < tensor.Shape.Length; axis++)
                    extent += Math.Max(0, tensor.Shape[axis] - 1) * tensor.Strides[axis];
                if (entry.Count > 0 && extent > tensor.Storage.Elements - tensor.Offset)
                    throw Impossible();
                if (entry.Bytes > Math.Max(SmallView, BytesOf(tensor.Storage)))
                    throw fault($"{what} shows {entry.Count} elements of {tensor.Storage.Elements} that are stored (an "
                        + "expanded tensor); store it with .contiguous()");
            }
        }
        catch (OverflowException)
        {
            throw Impossible();
        }
        bool contiguous = IsContiguous(tensor);
        if (!contiguous && extent > Array.MaxLength / entry.Type.Size())
            throw fault($"{what} is spread over more than 2 GiB; store it with .contiguous()");
        if (!_tensors.TryAdd(name, entry))
            throw fault($"two tensors have the path {ForeignText.Quote(name)}; save one state dict alone");
        _placements.Add(name, new TensorPlacement(start, tensor.Offset, tensor.Strides, contiguous,
            contiguous ? 0 : (int)extent));

        InputException Impossible() => fault($"{what}: shape {TensorEntry.ShapeText(tensor.Shape)}, strides "
            + $"{TensorEntry.ShapeText(tensor.Strides)} and offset {tensor.Offset} do not lie within its "
            + $"{tensor.Storage.Elements} stored elements; get or write the file anew");
    }

    private static bool IsContiguous(PickleTensor tensor)
    {
        if (tensor.Shape.Contains(0))
            return true;
        long expected = 1;
        for (int axis = tensor.Shape.Length - 1; axis >= 0; axis--)
        {
            if (tensor.Shape[axis] > 1 && tensor.Strides[axis] != expected)
                return false;
            expected *= tensor.Shape[axis];
        }
        return true;
    }

    /// <summary>Bytes of a storage.</summary>
    /// <exception cref="InputException">They are more than the file has.</exception>
    public long BytesOf(PickleStorage storage) => storage.Elements <= fileLength
        ? storage.Elements * storage.Type.Size()
        : throw fault($"storage {ForeignText.Quote(storage.Key)} is said to have {storage.Elements} elements, more "
            + "than the file has bytes; get or write the file anew");
}
