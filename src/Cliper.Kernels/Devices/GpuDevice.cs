using Cliper.Kernels.Ptx;

namespace Cliper.Kernels.Devices;

/// <summary>
/// What runs GPU kernels: an NVIDIA card, or something that imitates one. Weights are kept in fp32,
/// activations and their gradients in a 16-bit format. Work is queued in the order in which it is given; only reading back waits for it.
/// </summary>
/// <param name="activations">The 16-bit format.</param>
public abstract class GpuDevice(ElementType activations) : Device
{
    /// <inheritdoc/>
    public sealed override ElementType Activations { get; } = activations is ElementType.Float16 or ElementType.BFloat16
        ? activations
        : throw new ArgumentException($"activations of {activations}: a GPU stores them in 16 bits", nameof(activations));

    /// <summary>Multiprocessors, by which work is cut where it has to be cut.</summary>
    internal abstract int Multiprocessors { get; }

    /// <summary>Whether kernels that need tensor cores with m16n8k16 products, ldmatrix and cp.async run here.</summary>
    internal abstract bool HasTensorCores { get; }

    /// <summary>Whether kernels for Hopper with wgmma run here.</summary>
    internal abstract bool HasWgmma { get; }

    /// <summary>Kernels that were queued: which implementations a piece of work used.</summary>
    internal HashSet<GpuKernel> Launched { get; } = [];

    /// <summary>
    /// What did the work queued since the last call: "tensor cores, wgmma" or "tensor cores" where a kernel that was queued needs
    /// them, else "portable".
    /// </summary>
    public string TakeImplementation()
    {
        GpuTarget most = Launched.Select(kernel => kernel.Target).DefaultIfEmpty().Max();
        Launched.Clear();
        return most switch
        {
            GpuTarget.Hopper => "tensor cores, wgmma",
            GpuTarget.TensorCores => "tensor cores",
            _ => "portable",
        };
    }

    /// <summary>Queues a kernel over <paramref name="blocks"/> with the packed arguments.</summary>
    private protected abstract void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments);

    /// <summary>Queues a kernel; a grid without blocks is nothing to do.</summary>
    internal void Run(GpuKernel kernel, Blocks blocks, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (blocks.X == 0 || blocks.Y == 0 || blocks.Z == 0)
            return;
        if (blocks.Y > Blocks.MaxOther || blocks.Z > Blocks.MaxOther)
            throw new ArgumentException($"{kernel.Name} over a grid of {blocks.X} x {blocks.Y} x {blocks.Z} blocks: at most {Blocks.MaxOther} in y and z");
        Launched.Add(kernel);
        Launch(kernel, blocks, kernel.Pack(arguments));
    }

    /// <summary>Waits until all that was queued is done.</summary>
    public abstract void Synchronize();
}

/// <summary>Blocks of a launch.</summary>
/// <param name="X">Fastest axis.</param>
/// <param name="Y">Second axis.</param>
/// <param name="Z">Third axis.</param>
internal readonly record struct Blocks(int X, int Y = 1, int Z = 1)
{
    /// <summary>Most blocks in y and in z.</summary>
    public const int MaxOther = 65535;

    /// <summary>As many blocks of <paramref name="each"/> as cover <paramref name="count"/>.</summary>
    public static int Cover(long count, int each) => checked((int)((count + each - 1) / each));
}
