using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Cliper.Kernels.Collectives;

namespace Cliper.Kernels.Memory;

/// <summary>
/// A device that holds arrays and runs operations: the CPU (managed SIMD) or a GPU; an operation chooses its
/// implementation by the kind of its device. Each device has one arena. Uploads, downloads, copies and memsets are
/// written here for arrays in host memory; a device with memory of its own overrides them.
/// </summary>
public abstract unsafe class Device : IDisposable
{
    /// <summary>Sub-allocator over this device's memory.</summary>
    private protected abstract Arena Arena { get; }

    /// <summary>Whether host code reads and writes its arrays in place, as spans.</summary>
    internal virtual bool HasSpans => false;

    /// <summary>The processes that train one model together, each on a device of its own; this one alone where nothing
    /// else is set.</summary>
    public RankGroup Ranks { get; set; } = RankGroup.Alone;

    /// <summary>Name for people, such as "CPU, AVX-512, 2 threads".</summary>
    public abstract string Name { get; }

    /// <summary>Type that activations and their gradients have here: fp32 on the CPU, fp16 or bf16 on a GPU.</summary>
    public virtual ElementType Activations => ElementType.Float32;

    /// <summary>Bytes allocated and not freed.</summary>
    public long LiveBytes => Arena.LiveBytes;

    /// <summary>Number of arrays allocated and not freed; a test holds it at zero after each case.</summary>
    public int LiveArrays => Arena.LiveBlocks;

    /// <summary>Most bytes ever live at once since <see cref="ResetPeak"/>.</summary>
    public long PeakBytes => Arena.PeakBytes;

    /// <summary>Bytes taken from the operating system or driver; constant after the first training step.</summary>
    public long ReservedBytes => Arena.ReservedBytes;

    /// <summary>Sets <see cref="PeakBytes"/> to <see cref="LiveBytes"/>.</summary>
    public void ResetPeak() => Arena.ResetPeak();

    /// <summary>
    /// Allocates an array of <paramref name="length"/> elements with undefined content, aligned to 256 bytes.
    /// </summary>
    /// <exception cref="DeviceException">The device's memory is exhausted.</exception>
    public DeviceArray Allocate(long length, ElementType type = ElementType.Float32)
    {
        var array = new DeviceArray(this, Arena.Allocate(length * type.Size()), length, type);
        Allocated(array);
        return array;
    }

    /// <summary>Frees an array made by <see cref="Allocate"/>; a null array is ignored.</summary>
    /// <exception cref="InvalidOperationException">Freed twice, or a slice.</exception>
    public void Free(DeviceArray array)
    {
        if (array.IsNull)
            return;
        Freeing(array);
        Arena.Free(array.Address);
    }

    /// <summary>Called with every new array.</summary>
    private protected virtual void Allocated(DeviceArray array)
    {
    }

    /// <summary>Called with every array before it is freed.</summary>
    private protected virtual void Freeing(DeviceArray array)
    {
    }

    /// <summary>Uploads <paramref name="values"/> to a new array.</summary>
    public DeviceArray From(ReadOnlySpan<float> values)
    {
        DeviceArray array = Allocate(values.Length);
        Upload(MemoryMarshal.AsBytes(values), array);
        return array;
    }

    /// <summary>
    /// Uploads <paramref name="values"/> to a new array of <paramref name="type"/>: fp32, or rounded to fp16 or bf16.
    /// </summary>
    public DeviceArray From(ReadOnlySpan<float> values, ElementType type)
    {
        if (type == ElementType.Float32)
            return From(values);
        var bits = new ushort[values.Length];
        if (type == ElementType.Float16)
            TensorPrimitives.ConvertToHalf(values, MemoryMarshal.Cast<ushort, Half>(bits.AsSpan()));
        else
            BFloat16.ToBits(values, bits);
        DeviceArray array = Allocate(values.Length, type);
        Upload(MemoryMarshal.AsBytes(bits.AsSpan()), array);
        return array;
    }

    /// <summary>Uploads <paramref name="values"/> to a new array.</summary>
    public DeviceArray From(ReadOnlySpan<int> values)
    {
        DeviceArray array = Allocate(values.Length, ElementType.Int32);
        Upload(MemoryMarshal.AsBytes(values), array);
        return array;
    }

    /// <summary>Uploads <paramref name="values"/> to a new array.</summary>
    public DeviceArray From(ReadOnlySpan<byte> values)
    {
        DeviceArray array = Allocate(values.Length, ElementType.UInt8);
        Upload(values, array);
        return array;
    }

    /// <summary>Copies host bytes into <paramref name="target"/>.</summary>
    /// <exception cref="ArgumentException">The sizes in bytes differ.</exception>
    public virtual void Upload(ReadOnlySpan<byte> source, DeviceArray target)
    {
        CheckSizes(source.Length, target.Bytes);
        source.CopyTo(new Span<byte>((void*)target.Address, source.Length));
    }

    /// <summary>Copies the bytes of <paramref name="source"/> into host memory, once they are computed.</summary>
    /// <exception cref="ArgumentException">The sizes in bytes differ.</exception>
    public virtual void Download(DeviceArray source, Span<byte> target)
    {
        CheckSizes(source.Bytes, target.Length);
        new ReadOnlySpan<byte>((void*)source.Address, target.Length).CopyTo(target);
    }

    /// <summary>Copies all of <paramref name="source"/> to <paramref name="target"/>, of the same type.</summary>
    /// <exception cref="ArgumentException">The sizes in bytes differ.</exception>
    public virtual void Copy(DeviceArray source, DeviceArray target)
    {
        CheckSizes(source.Bytes, target.Bytes);
        Buffer.MemoryCopy((void*)source.Address, (void*)target.Address, target.Bytes, source.Bytes);
    }

    /// <summary>
    /// Runs one training step. A CUDA device records the commands; when the same sequence (kernels, addresses, scalars)
    /// is submitted again, it is captured as a CUDA graph, and replayed from then on. Only the contents of arrays may
    /// differ between replays.
    /// </summary>
    public virtual void RunStep(Action step) => step();

    /// <summary>Sets every byte to zero.</summary>
    public virtual void Clear(DeviceArray array) => NativeMemory.Clear((void*)array.Address, (nuint)array.Bytes);

    /// <summary>Downloads the elements of an array of fp32, fp16 or bf16.</summary>
    public float[] ToFloats(DeviceArray source)
    {
        var values = new float[source.Length];
        if (source.Type == ElementType.Float32)
        {
            Download(source, MemoryMarshal.AsBytes(values.AsSpan()));
            return values;
        }
        var bits = new ushort[source.Length];
        Download(source, MemoryMarshal.AsBytes(bits.AsSpan()));
        if (source.Type == ElementType.Float16)
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<ushort, Half>(bits), values);
        else
            BFloat16.FromBits(bits, values);
        return values;
    }

    /// <inheritdoc/>
    public virtual void Dispose()
    {
        FreeSegments();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the arena's segments; a device whose segments are not host memory overrides it.</summary>
    private protected virtual void FreeSegments()
    {
        foreach ((nint address, _) in Arena.Segments)
            NativeMemory.AlignedFree((void*)address);
    }

    /// <summary>Makes an arena in host memory.</summary>
    /// <param name="segmentBytes">Size of the smallest segment, in bytes.</param>
    private protected static Arena HostArena(long segmentBytes = 32L << 20) =>
        new(bytes => (nint)NativeMemory.AlignedAlloc((nuint)bytes, 4096), segmentBytes);

    private protected static void CheckSizes(long source, long target)
    {
        if (source != target)
            throw new ArgumentException($"source has {source} bytes, target {target}");
    }
}
