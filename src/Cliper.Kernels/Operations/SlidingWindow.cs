namespace Cliper.Kernels.Operations;

/// <summary>Images or activations in the order [image, row, column, channel] (NHWC).</summary>
/// <param name="Images">Number of images.</param>
/// <param name="Height">Rows of an image.</param>
/// <param name="Width">Columns of an image.</param>
/// <param name="Channels">Elements of a pixel.</param>
public readonly record struct FeatureMap(int Images, int Height, int Width, int Channels)
{
    /// <summary>Pixels of all images.</summary>
    public long Pixels => (long)Images * Height * Width;

    /// <summary>Elements of all images.</summary>
    public long Count => Pixels * Channels;

    /// <summary>Elements of a row of pixels.</summary>
    internal long Line => (long)Width * Channels;

    internal void Check(string name)
    {
        if (Images < 0 || Height < 1 || Width < 1 || Channels < 1)
            throw new ArgumentException($"{name} is {this}; expected at least one row, column and channel", name);
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{Images}, {Height}, {Width}, {Channels}]";
}

/// <summary>
/// How a window moves along one axis: output o sees the inputs from o * stride - before on, as many as the kernel has.
/// </summary>
/// <param name="Kernel">Size of the window.</param>
/// <param name="Stride">Inputs from one output to the next.</param>
/// <param name="Before">Zeros in front of the first input.</param>
/// <param name="After">Zeros behind the last input.</param>
public readonly record struct WindowAxis(int Kernel, int Stride, int Before, int After)
{
    /// <summary>The same padding on both sides, as PyTorch counts it.</summary>
    public static WindowAxis Padded(int kernel, int stride, int padding) => new(kernel, stride, padding, padding);

    /// <summary>
    /// TensorFlow's padding "SAME": ceil(size / stride) outputs, and of an odd number of zeros one more behind than in
    /// front.
    /// </summary>
    public static WindowAxis Same(int size, int kernel, int stride)
    {
        int outputs = (size + stride - 1) / stride, zeros = Math.Max(0, (outputs - 1) * stride + kernel - size);
        return new WindowAxis(kernel, stride, zeros / 2, zeros - zeros / 2);
    }

    /// <summary>Outputs for an axis of <paramref name="size"/> inputs.</summary>
    public int Outputs(int size) => (size + Before + After - Kernel) / Stride + 1;

    /// <summary>
    /// The input under the window's first place for <paramref name="output"/>; negative in the padding.
    /// </summary>
    internal int Start(int output) => output * Stride - Before;

    /// <summary>
    /// The window's places [First, End) for <paramref name="output"/> that lie on inputs and not on padding.
    /// </summary>
    internal (int First, int End) Inside(int output, int size)
    {
        int start = Start(output);
        return (Math.Clamp(-start, 0, Kernel), Math.Clamp(size - start, 0, Kernel));
    }

    /// <summary>The outputs [First, End) whose windows lie on inputs alone.</summary>
    internal (int First, int End) Interior(int size)
    {
        int outputs = Outputs(size), first = Math.Min(outputs, (Before + Stride - 1) / Stride);
        int last = size - Kernel + Before;
        return (first, last < 0 ? first : Math.Clamp(last / Stride + 1, first, outputs));
    }

    internal void Check(int size, string axis)
    {
        if (Kernel < 1 || Stride < 1 || Before < 0 || After < 0 || Before >= Kernel || After >= Kernel)
            throw new ArgumentException(
                $"{axis}: a kernel of {Kernel} with stride {Stride} and padding {Before}, {After}; "
                + "expected at least 1, and less padding than the kernel has");
        if (size + Before + After < Kernel)
            throw new ArgumentException(
                $"{axis}: a kernel of {Kernel} does not fit {size} with padding {Before}, {After}");
    }
}

/// <summary>A window that slides over a feature map: what convolutions have in common.</summary>
/// <param name="Input">The input that it slides over.</param>
/// <param name="Down">Its movement from row to row.</param>
/// <param name="Across">Its movement from column to column.</param>
public readonly record struct SlidingWindow(FeatureMap Input, WindowAxis Down, WindowAxis Across)
{
    /// <summary>A square window with TensorFlow's padding "SAME".</summary>
    public static SlidingWindow Same(FeatureMap input, int kernel, int stride) =>
        new(input, WindowAxis.Same(input.Height, kernel, stride), WindowAxis.Same(input.Width, kernel, stride));

    /// <summary>A square window with the same padding on all sides.</summary>
    public static SlidingWindow Padded(FeatureMap input, int kernel, int stride, int padding) =>
        new(input, WindowAxis.Padded(kernel, stride, padding), WindowAxis.Padded(kernel, stride, padding));

    /// <summary>Places of the window.</summary>
    public int Taps => Down.Kernel * Across.Kernel;

    /// <summary>Elements under the window: [kernel rows, kernel columns, channels].</summary>
    public int Elements => checked(Taps * Input.Channels);

    /// <summary>The result with so many channels.</summary>
    public FeatureMap Output(int channels) =>
        new(Input.Images, Down.Outputs(Input.Height), Across.Outputs(Input.Width), channels);

    /// <summary>Whether each output sees one pixel, its own.</summary>
    internal bool IsPointwise => Down is (1, 1, 0, 0) && Across is (1, 1, 0, 0);

    /// <summary>Throws unless there is an input and the window fits it.</summary>
    /// <exception cref="ArgumentException">A size is below 1, or the window is larger than the padded
    /// input.</exception>
    public void Check()
    {
        Input.Check("the input");
        Down.Check(Input.Height, "rows");
        Across.Check(Input.Width, "columns");
    }
}
