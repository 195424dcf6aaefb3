using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Autograd;

/// <content>Copies of the elements in another type or packed, kept until the elements are next written.</content>
public sealed partial class Tensor
{
    private const string OperandKind = "operand";

    private Dictionary<(long Offset, Shape Shape, string Kind), IDisposable>? _companions;
    private int _version;

    /// <summary>Counts writes by an optimizer or loader.</summary>
    public int Version => _base?.Version ?? _version;

    /// <summary>Says that the elements have been written in place: copies kept beside them are stale.</summary>
    public void MarkWritten()
    {
        Root._version++;
        Root.DropCompanions();
    }

    /// <summary>Like <see cref="MarkWritten"/>, where <see cref="OperandCopy"/> has been written too.</summary>
    internal void MarkWrittenWithCopy()
    {
        Root._version++;
        Root.DropCompanions(but: OperandKind);
    }

    /// <summary>
    /// The 16-bit copy that <see cref="AsOperand"/> made of the whole tensor, if it still exists; else the null array.
    /// </summary>
    internal DeviceArray OperandCopy =>
        Root._companions is { } companions && companions.TryGetValue((0, Root.Shape, OperandKind),
        out IDisposable? found)
            ? ((Converted)found).Data
            : default;

    /// <summary>
    /// Bytes of the 16-bit shadow copy that GEMMs on a GPU read; 0 without one. The optimizer's step rewrites it too.
    /// </summary>
    public long OperandBytes => OperandCopy.Bytes;

    /// <summary>
    /// A packed or converted copy of this tensor (or view: each has its own), made when first asked for and kept until
    /// the elements are next written or the tensor ends.
    /// </summary>
    /// <param name="kind">Distinguishes copies of the same elements.</param>
    /// <param name="make">Makes the copy.</param>
    internal T Companion<T>(string kind, Func<T> make) where T : class, IDisposable
    {
        Dictionary<(long, Shape, string), IDisposable> companions = Root._companions ??= [];
        if (companions.TryGetValue((_offset, Shape, kind), out IDisposable? found))
            return (T)found;
        T made = make();
        companions.Add((_offset, Shape, kind), made);
        return made;
    }

    /// <summary>
    /// The elements as GEMMs on this tensor's device read a weight: itself on the CPU, a 16-bit copy on a GPU, where
    /// the tensor holds the fp32 that the optimizer steps.
    /// </summary>
    internal DeviceArray AsOperand()
    {
        if (Type == Device.Activations)
            return Data;
        // One copy for all views, which the optimizer can write in its own pass.
        Tensor whole = Root;
        return whole.Companion(OperandKind, () =>
            new Converted(whole.Data, whole.Device.Activations)).Data.Slice(_offset, Shape.Count);
    }

    /// <summary>A copy in another type.</summary>
    private sealed class Converted : IDisposable
    {
        public Converted(DeviceArray source, ElementType type)
        {
            Data = source.Device.Allocate(source.Length, type);
            Cast.Forward(source, Data);
        }

        public DeviceArray Data { get; }

        public void Dispose() => Data.Device.Free(Data);
    }

    private void DropCompanions(string? but = null)
    {
        if (_companions is null)
            return;
        foreach (((long Offset, Shape Shape, string Kind) key, IDisposable companion) in _companions.ToArray())
        {
            if (key.Kind == but && key.Offset == 0 && key.Shape.Equals(Shape))
                continue;
            companion.Dispose();
            _companions.Remove(key);
        }
    }
}
