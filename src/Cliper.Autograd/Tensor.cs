using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Autograd;

/// <summary>
/// A contiguous row-major array on a device and, where asked for, its gradient. Made either as a parameter or input,
/// which its owner disposes, or by an operation of a <see cref="Tape"/>, which disposes it when the step no longer
/// needs it.
/// </summary>
public sealed class Tensor : IDisposable
{
    private const string OperandKind = "operand";

    private readonly Tensor? _base;
    private readonly long _offset;
    private DeviceArray _data;
    private DeviceArray _gradient;
    private bool _gradientSet;
    private bool _disposed;
    private Dictionary<(long Offset, Shape Shape, string Kind), IDisposable>? _companions;

    /// <summary>A tensor of undefined content.</summary>
    public Tensor(Device device, Shape shape, ElementType type = ElementType.Float32)
        : this(device.Allocate(shape.Count, type), shape)
    {
    }

    /// <summary>A tensor that takes over <paramref name="data"/>.</summary>
    public Tensor(DeviceArray data, Shape shape)
    {
        if (data.Length != shape.Count)
            throw new ArgumentException($"{data.Length} elements for shape {shape}");
        _data = data;
        Shape = shape;
    }

    private Tensor(Tensor source, long offset, Shape shape)
    {
        _base = source;
        _offset = offset;
        Shape = shape;
    }

    /// <summary>An fp32 tensor of the given values.</summary>
    public static Tensor From(Device device, ReadOnlySpan<float> values, Shape shape) =>
        new(device.From(values), shape);

    /// <summary>An int32 tensor of the given values: ids, labels, row indices.</summary>
    public static Tensor From(Device device, ReadOnlySpan<int> values, Shape shape) => new(device.From(values), shape);

    /// <summary>A uint8 tensor of the given values: pixels.</summary>
    public static Tensor From(Device device, ReadOnlySpan<byte> values, Shape shape) => new(device.From(values), shape);

    /// <summary>Sizes of the axes.</summary>
    public Shape Shape { get; }

    /// <summary>The device in whose memory it lies.</summary>
    public Device Device => Data.Device;

    /// <summary>Type of an element.</summary>
    public ElementType Type => Data.Type;

    /// <summary>The elements.</summary>
    /// <exception cref="ObjectDisposedException">The tensor has ended.</exception>
    public DeviceArray Data
    {
        get
        {
            if (_base is not null)
                return _base.Data.Slice(_offset, Shape.Count);
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _data;
        }
    }

    /// <summary>
    /// Whether gradients flow here. Set it on parameters to train them and clear it to freeze them; operations set it
    /// on what depends on such a parameter. A view shares its tensor's.
    /// </summary>
    public bool RequiresGrad
    {
        get => _base?.RequiresGrad ?? field;
        set
        {
            if (_base is not null)
                throw new InvalidOperationException("a view shares its tensor's RequiresGrad");
            field = value;
        }
    }

    /// <summary>Whether a gradient has been written since <see cref="ClearGradient"/>.</summary>
    public bool HasGradient => _base?.HasGradient ?? _gradientSet;

    /// <summary>The gradient of the loss by this tensor.</summary>
    /// <exception cref="InvalidOperationException">None has been written; it is zero.</exception>
    public DeviceArray Gradient => _base is not null ? _base.Gradient.Slice(_offset, Shape.Count)
        : _gradientSet ? _gradient
        : throw new InvalidOperationException("no gradient has been written");

    /// <summary>Counts writes by an optimizer or loader.</summary>
    public int Version => _base?.Version ?? _version;

    private int _version;

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
    /// Makes the next gradient overwrite instead of add. No memory is touched: the gradient counts as zero from here
    /// on.
    /// </summary>
    public void ClearGradient()
    {
        if (_base is not null)
            throw new InvalidOperationException("clear the gradient of the tensor, not of a view");
        _gradientSet = false;
    }

    /// <summary>The same elements under another shape of equal count.</summary>
    public Tensor Reshape(Shape shape)
    {
        if (shape.Count != Shape.Count)
            throw new ArgumentException($"{Shape} has {Shape.Count} elements, {shape} {shape.Count}");
        return new Tensor(_base ?? this, _offset, shape);
    }

    /// <summary>
    /// Rows [<paramref name="start"/>, <paramref name="start"/> + <paramref name="count"/>) of the outermost axis, as a
    /// view.
    /// </summary>
    public Tensor Rows(int start, int count)
    {
        if (start < 0 || count < 0 || start > Shape[0] - count)
            throw new ArgumentOutOfRangeException(nameof(start), $"rows [{start}, {start + count}) of {Shape}");
        int[] axes = Shape.ToArray();
        axes[0] = count;
        long row = Shape[0] == 0 ? 0 : Shape.Count / Shape[0];
        return new Tensor(_base ?? this, _offset + start * row, new Shape(axes));
    }

    /// <summary>The elements of an fp32 tensor, in host memory.</summary>
    public float[] ToArray() => Device.ToFloats(Data);

    /// <summary>The one element of an fp32 tensor of one element.</summary>
    public float Item() => ToArray().Single();

    /// <summary>
    /// Where a backward pass writes this tensor's gradient, of the tensor's own type, allocated when first asked for.
    /// A gradient that was written before is added to; where none was, every element must be written.
    /// </summary>
    public GradientTarget GradientTarget()
    {
        if (_base is not null)
        {
            GradientTarget whole = _base.GradientTarget();
            if (!whole.Accumulate && Shape.Count != _base.Shape.Count)
            {
                // A part is written first: the rest counts as zero.
                Device.Clear(whole.Array);
                whole = whole with { Accumulate = true };
            }
            return whole.Slice(_offset, Shape.Count);
        }
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_gradient.IsNull)
            _gradient = Device.Allocate(Shape.Count, Type);
        var target = new GradientTarget(_gradient, Accumulate: _gradientSet);
        _gradientSet = true;
        return target;
    }

    /// <summary>
    /// Hands this tensor's gradient on to <paramref name="target"/> (of equal count), whose gradient it then is: what
    /// the backward of an addition does with an operand when nothing has been written there yet. Saves a copy.
    /// </summary>
    /// <returns>False, and nothing done, if the target already has a gradient, or either is a view or differs in
    /// type.</returns>
    internal bool TryMoveGradientTo(Tensor target)
    {
        if (_base is not null || target._base is not null || !target._gradient.IsNull || !_gradientSet
            || target.Type != Type)
            return false;
        target._gradient = _gradient;
        target._gradientSet = true;
        _gradient = default;
        _gradientSet = false;
        return true;
    }

    /// <summary>The tensor whose memory this is: itself unless a view.</summary>
    internal Tensor Root => _base ?? this;

    /// <summary>
    /// Set by a tape on what a recorded operation will read in its backward, so that a scope leaves it alone.
    /// </summary>
    internal void MarkSaved() => (_base ?? this).IsSaved = true;

    internal bool IsSaved { get; private set; }

    /// <summary>How many operations may add to this tensor's gradient; counted by the tape.</summary>
    internal int Consumers { get; set; }

    /// <summary>
    /// The tensor that an activation fused into the operation that made this one was applied to; null without one.
    /// </summary>
    internal PreActivation? PreActivation { get; set; }

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

    /// <summary>Ends the tensor, its gradient and its companions. A view ends nothing.</summary>
    public void Dispose()
    {
        if (_disposed || _base is not null)
            return;
        _disposed = true;
        DropCompanions();
        _data.Device.Free(_gradient);
        _data.Device.Free(_data);
    }

    /// <summary>Ends the gradient alone; it counts as zero.</summary>
    public void FreeGradient()
    {
        if (_base is not null || _disposed)
            return;
        _data.Device.Free(_gradient);
        _gradient = default;
        _gradientSet = false;
    }
}
