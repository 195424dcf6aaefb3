using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;

namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// Commands for a GPU in their order: launches, copies and memsets with their arguments. Two lists are equal when they
/// hold the same commands with the same addresses and scalars; the contents of the buffers play no part.
/// </summary>
internal sealed class CommandList : IEquatable<CommandList>
{
    private readonly List<Command> _commands = [];
    private readonly List<byte> _arguments = [];

    /// <summary>A launch, a copy or a memset to zero.</summary>
    /// <param name="Kernel">The kernel of a launch; null for a copy or a memset.</param>
    /// <param name="Blocks">The grid of a launch.</param>
    /// <param name="Source">Address that a copy reads; 0 for a memset.</param>
    /// <param name="Target">Address that a copy or a memset writes.</param>
    /// <param name="Bytes">Size of a copy or a memset, or of a launch's packed arguments.</param>
    internal readonly record struct Command(GpuKernel? Kernel, Blocks Blocks, nint Source, nint Target, long Bytes)
    {
        /// <summary>Submits the command; <paramref name="arguments"/> are the packed arguments of a launch.</summary>
        public void SubmitTo(GpuDevice device, ReadOnlySpan<byte> arguments)
        {
            if (Kernel is { } kernel)
                device.Launch(kernel, Blocks, arguments);
            else if (Source != 0)
                device.Copy(Source, Target, Bytes);
            else
                device.Clear(Target, Bytes);
        }
    }

    /// <summary>Number of commands.</summary>
    public int Count => _commands.Count;

    /// <summary>The kernels that are launched, in order.</summary>
    public IEnumerable<GpuKernel> Kernels => _commands.Select(command => command.Kernel).OfType<GpuKernel>();

    /// <summary>Appends a command; <paramref name="arguments"/> are the packed arguments of a launch.</summary>
    public void Add(Command command, ReadOnlySpan<byte> arguments)
    {
        _commands.Add(command);
        _arguments.AddRange(arguments);
    }

    /// <summary>Submits every command to <paramref name="device"/>, in order.</summary>
    public void SubmitTo(GpuDevice device)
    {
        ReadOnlySpan<byte> arguments = CollectionsMarshal.AsSpan(_arguments);
        int at = 0;
        foreach (Command command in _commands)
        {
            int length = command.Kernel is null ? 0 : (int)command.Bytes;
            command.SubmitTo(device, arguments.Slice(at, length));
            at += length;
        }
    }

    /// <inheritdoc/>
    public bool Equals(CommandList? other) => other is not null
        && CollectionsMarshal.AsSpan(_commands).SequenceEqual(CollectionsMarshal.AsSpan(other._commands))
        && CollectionsMarshal.AsSpan(_arguments).SequenceEqual(CollectionsMarshal.AsSpan(other._arguments));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CommandList);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.Add(_commands.Count);
        hash.AddBytes(CollectionsMarshal.AsSpan(_arguments));
        return hash.ToHashCode();
    }
}
