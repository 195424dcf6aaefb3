using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>
/// A GPU kernel: a C# method with all type arguments, and the limits that its PTX is tested against.
/// </summary>
/// <param name="method">A static method of numbers and <see cref="Ptx"/> pointers.</param>
/// <param name="name">Name in messages and tables.</param>
/// <param name="threads">Number of threads of a block.</param>
/// <param name="minBlocks">Number of blocks that a multiprocessor must be able to hold: it bounds the
/// registers.</param>
/// <param name="registers">Most registers that ptxas may use for a thread.</param>
/// <param name="sharedBytes">Dynamic shared memory of a block.</param>
/// <param name="target">The target that it needs.</param>
internal sealed class GpuKernel(MethodInfo method, string name, int threads, int minBlocks, int registers,
    int sharedBytes = 0, GpuTarget target = GpuTarget.Simt)
{
    /// <summary>A kernel without type parameters, by the name of its method.</summary>
    /// <param name="owner">The class whose private static method it is.</param>
    /// <param name="method">Name of the method, which carries <see cref="DeviceCodeAttribute"/>.</param>
    /// <param name="name">The kernel's name in messages and tables.</param>
    /// <param name="threads">Threads of a block.</param>
    /// <param name="minBlocks">Blocks that a multiprocessor must be able to hold.</param>
    /// <param name="registers">Most registers that ptxas may use for a thread.</param>
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = GpuDevices.NeedsCompiler)]
    public GpuKernel(Type owner, string method, string name, int threads, int minBlocks, int registers)
        : this(owner.GetMethod(method, BindingFlags.Static | BindingFlags.NonPublic)!, name, threads, minBlocks,
            registers)
    {
    }

    private readonly Lock _lock = new();
    private readonly Type[] _parameters = [.. method.GetParameters().Select(parameter => parameter.ParameterType)];

    /// <summary>The C# method.</summary>
    public MethodInfo Method { get; } = method;

    /// <summary>Name in messages and tables.</summary>
    public string Name { get; } = name;

    /// <summary>Number of threads of a block.</summary>
    public int Threads { get; } = threads;

    /// <summary>Number of blocks that a multiprocessor must be able to hold.</summary>
    public int MinBlocks { get; } = minBlocks;

    /// <summary>Most registers that ptxas may use for a thread.</summary>
    public int Registers { get; } = registers;

    /// <summary>Dynamic shared memory of a block, in bytes.</summary>
    public int SharedBytes { get; } = sharedBytes;

    /// <summary>The GPUs that it runs on.</summary>
    public GpuTarget Target { get; } = target;

    /// <summary>Number of mma or wgmma, ldmatrix and cp.async instructions in the PTX.</summary>
    public (int Mma, int LoadMatrix, int CopyAsync) Instructions { get; init; }

    /// <summary>
    /// Whether it computes in double precision, which is slow on most GPUs and must not happen by accident.
    /// </summary>
    public bool UsesDoubles { get; init; }

    /// <summary>The PTX, compiled when it is first asked for.</summary>
    /// <exception cref="InvalidOperationException">The kernel does not compile.</exception>
    public string Ptx
    {
        get
        {
            lock (_lock)
                return field ??= KernelCompiler.Compile(this);
        }
    }

    /// <summary>Packs arguments as the driver expects them: one after the other, each aligned to its size.</summary>
    /// <exception cref="ArgumentException">An argument has another type than its parameter.</exception>
    public byte[] Pack(ReadOnlySpan<KernelArgument> arguments)
    {
        if (arguments.Length != _parameters.Length)
            throw new ArgumentException($"{Name} takes {_parameters.Length} arguments, given {arguments.Length}");
        var bytes = new byte[_parameters.Length * 8];
        int at = 0;
        for (int index = 0; index < arguments.Length; index++)
        {
            KernelArgument argument = arguments[index];
            argument.CheckFits(_parameters[index], $"argument {index} of {Name}");
            at = (at + argument.Size - 1) / argument.Size * argument.Size;
            BitConverter.TryWriteBytes(bytes.AsSpan(at), argument.Bits);
            at += argument.Size;
        }
        return bytes[..at];
    }

    /// <summary>
    /// The arguments that <see cref="Pack"/> put one after the other, as values of the parameters' types.
    /// </summary>
    public object?[] Unpack(ReadOnlySpan<byte> bytes)
    {
        var arguments = new object?[_parameters.Length];
        int at = 0;
        for (int index = 0; index < arguments.Length; index++)
        {
            Type type = _parameters[index];
            int size = type == typeof(int) || type == typeof(float) ? 4 : 8;
            at = (at + size - 1) / size * size;
            ReadOnlySpan<byte> value = bytes[at..];
            arguments[index] = type == typeof(int) ? BitConverter.ToInt32(value)
                : type == typeof(float) ? BitConverter.ToSingle(value)
                : type == typeof(long) ? BitConverter.ToInt64(value)
                : Activator.CreateInstance(type, BitConverter.ToInt64(value));
            at += size;
        }
        return arguments;
    }

    /// <summary>A kernel's name from its operation and its type arguments, such as "ColumnSum GlobalPtrFp32".</summary>
    public static string NameOf(string what, params ReadOnlySpan<Type> types)
    {
        foreach (Type type in types)
            what += " " + Describe(type);
        return what;

        static string Describe(Type type) => type.IsGenericType
            ? $"{type.Name[..type.Name.IndexOf('`')]}<{string.Join(", ", type.GenericTypeArguments.Select(Describe))}>"
            : type.Name;
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>One argument of a launch.</summary>
internal readonly struct KernelArgument
{
    private readonly Type? _scalar;
    private readonly DeviceArray _array;

    private KernelArgument(DeviceArray array)
    {
        _array = array;
        (Bits, Size) = (array.Address, 8);
    }

    private KernelArgument(Type scalar, long bits, int size) => (_scalar, Bits, Size) = (scalar, bits, size);

    /// <summary>The value's bits, in the lowest ones.</summary>
    public long Bits { get; }

    /// <summary>Size in bytes: 4 or 8.</summary>
    public int Size { get; }

    /// <summary>An array, or a null one.</summary>
    public static implicit operator KernelArgument(DeviceArray array) => new(array);

    /// <summary>A 32-bit number.</summary>
    public static implicit operator KernelArgument(int value) => new(typeof(int), value, 4);

    /// <summary>A flag, which a kernel takes as 0 or 1.</summary>
    public static implicit operator KernelArgument(bool value) => new(typeof(int), value ? 1 : 0, 4);

    /// <summary>A 64-bit number.</summary>
    public static implicit operator KernelArgument(long value) => new(typeof(long), value, 8);

    /// <summary>An fp32 number.</summary>
    public static implicit operator KernelArgument(float value) =>
        new(typeof(float), BitConverter.SingleToUInt32Bits(value), 4);

    /// <summary>Throws unless this may be passed as a <paramref name="parameter"/>.</summary>
    /// <exception cref="ArgumentException">The types differ.</exception>
    public void CheckFits(Type parameter, string what)
    {
        if (_scalar is not null)
        {
            if (_scalar != parameter)
                throw new ArgumentException($"{what} is {_scalar.Name}, expected {parameter.Name}");
            return;
        }
        if (PointedTo(parameter) is not { } type)
            throw new ArgumentException($"{what} is an array, expected {parameter.Name}");
        if (!_array.IsNull && _array.Type != type)
            throw new ArgumentException($"{what} is {_array.Type}, expected {type}");
    }

    private static ElementType? PointedTo(Type parameter) =>
        parameter == typeof(GlobalPtrFp32) ? ElementType.Float32
        : parameter == typeof(GlobalPtr16<Fp16>) ? ElementType.Float16
        : parameter == typeof(GlobalPtr16<Bf16>) ? ElementType.BFloat16
        : parameter == typeof(GlobalPtrInt32) ? ElementType.Int32
        : parameter == typeof(GlobalPtrUInt8) ? ElementType.UInt8
        : null;
}
