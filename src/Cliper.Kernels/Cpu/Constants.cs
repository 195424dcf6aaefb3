namespace Cliper.Kernels.Cpu;

/// <summary>
/// An integer as a type: the JIT knows it when it compiles a generic method, so that branches on it fold away.
/// </summary>
internal interface IConstant
{
    /// <summary>The integer.</summary>
    static abstract int Value { get; }
}

/// <summary>The integer 1.</summary>
internal readonly struct N1 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 1;
}

/// <summary>The integer 2.</summary>
internal readonly struct N2 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 2;
}

/// <summary>The integer 3.</summary>
internal readonly struct N3 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 3;
}

/// <summary>The integer 4.</summary>
internal readonly struct N4 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 4;
}

/// <summary>The integer 5.</summary>
internal readonly struct N5 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 5;
}

/// <summary>The integer 6.</summary>
internal readonly struct N6 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 6;
}

/// <summary>The integer 7.</summary>
internal readonly struct N7 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 7;
}

/// <summary>The integer 8.</summary>
internal readonly struct N8 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 8;
}

/// <summary>The integer 9.</summary>
internal readonly struct N9 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 9;
}

/// <summary>The integer 10.</summary>
internal readonly struct N10 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 10;
}

/// <summary>The integer 11.</summary>
internal readonly struct N11 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 11;
}

/// <summary>The integer 12.</summary>
internal readonly struct N12 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 12;
}

/// <summary>The integer 13.</summary>
internal readonly struct N13 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 13;
}

/// <summary>The integer 14.</summary>
internal readonly struct N14 : IConstant
{
    /// <inheritdoc/>
    public static int Value => 14;
}
