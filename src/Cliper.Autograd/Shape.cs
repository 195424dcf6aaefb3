namespace Cliper.Autograd;

/// <summary>
/// Sizes of a tensor's axes, outermost first; row-major, always contiguous. Up to four axes; none is a scalar.
/// </summary>
public readonly struct Shape : IEquatable<Shape>
{
    private readonly int _a, _b, _c, _d;

    /// <summary>A scalar's shape: no axes, one element.</summary>
    public Shape() => (_a, _b, _c, _d) = (1, 1, 1, 1);

    /// <summary>A shape of the given axes.</summary>
    /// <exception cref="ArgumentException">More than four axes, or a negative size.</exception>
    public Shape(params ReadOnlySpan<int> axes)
    {
        if (axes.Length > 4)
            throw new ArgumentException($"{axes.Length} axes; at most 4");
        foreach (int axis in axes)
            ArgumentOutOfRangeException.ThrowIfNegative(axis);
        Rank = axes.Length;
        _a = axes.Length > 0 ? axes[0] : 1;
        _b = axes.Length > 1 ? axes[1] : 1;
        _c = axes.Length > 2 ? axes[2] : 1;
        _d = axes.Length > 3 ? axes[3] : 1;
    }

    /// <summary>Number of axes.</summary>
    public int Rank { get; }

    /// <summary>Number of elements.</summary>
    public long Count => (long)_a * _b * _c * _d;

    /// <summary>Size of the innermost axis (1 for a scalar).</summary>
    public int Width => Rank == 0 ? 1 : this[Rank - 1];

    /// <summary>Number of rows when all axes but the innermost are flattened.</summary>
    public int Rows => Width == 0 ? 0 : checked((int)(Count / Width));

    /// <summary>Size of one axis; negative counts from the innermost.</summary>
    public int this[int axis]
    {
        get
        {
            int index = axis < 0 ? axis + Rank : axis;
            if (index < 0 || index >= Rank)
                throw new ArgumentOutOfRangeException(nameof(axis), axis, $"rank {Rank}");
            return index switch { 0 => _a, 1 => _b, 2 => _c, _ => _d };
        }
    }

    /// <summary>The same shape with another innermost size.</summary>
    public Shape WithWidth(int width)
    {
        Span<int> axes = stackalloc int[Rank];
        for (int axis = 0; axis < Rank; axis++)
            axes[axis] = this[axis];
        axes[^1] = width;
        return new Shape(axes);
    }

    /// <summary>The sizes as an array.</summary>
    public int[] ToArray()
    {
        var axes = new int[Rank];
        for (int axis = 0; axis < Rank; axis++)
            axes[axis] = this[axis];
        return axes;
    }

    /// <inheritdoc/>
    public bool Equals(Shape other) =>
        (Rank, _a, _b, _c, _d) == (other.Rank, other._a, other._b, other._c, other._d);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Rank, _a, _b, _c, _d);

    /// <summary>Equal rank and sizes.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Different rank or sizes.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    /// <summary>Formats the dimensions, as in "[8, 50, 768]".</summary>
    public override string ToString() => $"[{string.Join(", ", ToArray())}]";
}
