using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;

namespace Cliper.Kernels.Memory;

/// <summary>
/// Where arrays live and operations run. <see cref="CpuDevice"/> (managed SIMD) or a <see cref="GpuDevice"/>; an
/// operation chooses its implementation by the kind of its device. One arena a device. What is written here of copying is for arrays
/// in the program's own memory; a device with memory of its own overrides it.
/// </summary>
public abstract unsafe class Device : IDisposable
{
    /// <summary>Sub-allocator over this device's memory.</summary>
    private protected abstract Arena Arena { get; }

    /// <summary>What a person would call it, such as "CPU, AVX-512, 2 threads".</summary>
    public abstract string Name { get; }

    /// <summary>How activations and their gradients are stored here: in fp32 on the host, in fp16 or bf16 on a GPU.</summary>
    public virtual ElementType Activations => ElementType.Float32;

    /// <summary>Bytes allocated and not freed.</summary>
    public long LiveBytes => Arena.LiveBytes;

    /// <summary>Arrays allocated and not freed; a test holds this at zero after each case.</summary>
    public int LiveArrays => Arena.LiveBlocks;

    /// <summary>Most bytes ever live at once since <see cref="ResetPeak"/>.</summary>
    public long PeakBytes => Arena.PeakBytes;

    /// <summary>Bytes taken from the operating system or driver; constant after the first training step.</summary>
    public long ReservedBytes => Arena.ReservedBytes;

    /// <summary>Starts the measurement of <see cref="PeakBytes"/> anew.</summary>
    public void ResetPeak() => Arena.ResetPeak();

    /// <summary>An array of <paramref name="length"/> elements with undefined content, aligned to 256 bytes.</summary>
    public DeviceArray Allocate(long length, ElementType type = ElementType.Float32)
    {
        var array = new DeviceArray(this, Arena.Allocate(length * type.Size()), length, type);
        Allocated(array);
        return array;
    }

    /// <summary>Ends an array made by <see cref="Allocate"/>. A null array is left alone.</summary>
    /// <exception cref="InvalidOperationException">Freed twice, or a slice.</exception>
    public void Free(DeviceArray array)
    {
        if (array.IsNull)
            return;
        Freeing(array);
        Arena.Free(array.Address);
    }

    /// <summary>Told of every new array.</summary>
    private protected virtual void Allocated(DeviceArray array)
    {
    }

    /// <summary>Told of every array before it ends.</summary>
    private protected virtual void Freeing(DeviceArray array)
    {
    }

    /// <summary>A new array holding <paramref name="values"/>.</summary>
    public DeviceArray From(ReadOnlySpan<float> values)
    {
        DeviceArray array = Allocate(values.Length);
        Upload(MemoryMarshal.AsBytes(values), array);
        return array;
    }

    /// <summary>A new array holding <paramref name="values"/> as <paramref name="type"/>: fp32, or rounded to fp16 or bf16.</summary>
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

    /// <summary>A new array holding <paramref name="values"/>.</summary>
    public DeviceArray From(ReadOnlySpan<int> values)
    {
        DeviceArray array = Allocate(values.Length, ElementType.Int32);
        Upload(MemoryMarshal.AsBytes(values), array);
        return array;
    }

    /// <summary>A new array holding <paramref name="values"/>.</summary>
    public DeviceArray From(ReadOnlySpan<byte> values)
    {
        DeviceArray array = Allocate(values.Length, ElementType.UInt8);
        Upload(values, array);
        return array;
    }

    /// <summary>Host bytes into <paramref name="target"/>; the sizes must be equal.</summary>
    public virtual void Upload(ReadOnlySpan<byte> source, DeviceArray target)
    {
        CheckSizes(source.Length, target.Bytes);
        source.CopyTo(new Span<byte>((void*)target.Address, source.Length));
    }

    /// <summary>The bytes of <paramref name="source"/> into host memory; the sizes must be equal.</summary>
    public virtual void Download(DeviceArray source, Span<byte> target)
    {
        CheckSizes(source.Bytes, target.Length);
        new ReadOnlySpan<byte>((void*)source.Address, target.Length).CopyTo(target);
    }

    /// <summary>Copies all of <paramref name="source"/> to <paramref name="target"/>; lengths and types must be equal.</summary>
    public virtual void Copy(DeviceArray source, DeviceArray target)
    {
        CheckSizes(source.Bytes, target.Bytes);
        Buffer.MemoryCopy((void*)source.Address, (void*)target.Address, target.Bytes, source.Bytes);
    }

    /// <summary>
    /// Runs work that will come again much alike, as a training step does. A card that can keeps what is queued in it and sends it as one
    /// graph when it comes once more, with other content of its arrays.
    /// </summary>
    public virtual void RunStep(Action step) => step();

    /// <summary>Sets every byte to zero.</summary>
    public virtual void Clear(DeviceArray array) => NativeMemory.Clear((void*)array.Address, (nuint)array.Bytes);

    /// <summary>The elements of an array of fp32, fp16 or bf16, on the host.</summary>
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

    /// <summary>Gives the arena's memory back, to the program's own unless it came from elsewhere.</summary>
    private protected virtual void FreeSegments()
    {
        foreach ((nint address, _) in Arena.Segments)
            NativeMemory.AlignedFree((void*)address);
    }

    /// <summary>An arena in the program's own memory.</summary>
    /// <param name="segmentBytes">Smallest segment to ask for.</param>
    private protected static Arena HostArena(long segmentBytes = 32L << 20) =>
        new(bytes => (nint)NativeMemory.AlignedAlloc((nuint)bytes, 4096), segmentBytes);

    private protected static void CheckSizes(long source, long target)
    {
        if (source != target)
            throw new ArgumentException($"source has {source} bytes, target {target}");
    }
}
