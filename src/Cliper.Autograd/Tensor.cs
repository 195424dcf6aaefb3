using Cliper.Kernels.Memory;

namespace Cliper.Autograd;

/// <summary>
/// A contiguous row-major array on a device and, where asked for, its gradient. Made either as a parameter or input,
/// which its owner disposes, or by an operation of a <see cref="Tape"/>, which disposes it when the step no longer
/// needs it.
/// </summary>
public sealed partial class Tensor : IDisposable
{
    private readonly Tensor? _base;
    private readonly long _offset;
    private DeviceArray _data;
    private bool _disposed;

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

    /// <summary>The tensor whose memory this is: itself unless a view.</summary>
    internal Tensor Root => _base ?? this;

    /// <summary>
    /// Set by a tape on what a recorded operation will read in its backward, so that a scope leaves it alone.
    /// </summary>
    internal void MarkSaved() => (_base ?? this).IsSaved = true;

    internal bool IsSaved { get; private set; }

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
}
