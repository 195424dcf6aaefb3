using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;

namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// Work for a GPU in its order: launches, copies and clearings with all that they are given. Two lists are equal when the same work at the
/// same addresses stands in both; what lies at the addresses plays no part.
/// </summary>
internal sealed class CommandList : IEquatable<CommandList>
{
    private readonly List<Command> _entries = [];
    private readonly List<byte> _arguments = [];

    /// <summary>One piece of work.</summary>
    /// <param name="Kernel">What is launched; null for a copy or a clearing.</param>
    /// <param name="Blocks">Of a launch.</param>
    /// <param name="Source">Of a copy; 0 for a clearing.</param>
    /// <param name="Target">Of a copy or a clearing.</param>
    /// <param name="Bytes">Of a copy or a clearing, or of a launch's packed arguments.</param>
    internal readonly record struct Command(GpuKernel? Kernel, Blocks Blocks, nint Source, nint Target, long Bytes);

    /// <summary>What does a piece of work.</summary>
    internal delegate void Doing(Command entry, ReadOnlySpan<byte> arguments);

    /// <summary>Pieces of work.</summary>
    public int Count => _entries.Count;

    /// <summary>Kernels that are launched.</summary>
    public IEnumerable<GpuKernel> Kernels => _entries.Select(entry => entry.Kernel).OfType<GpuKernel>();

    /// <summary>Adds a piece of work; <paramref name="arguments"/> are a launch's.</summary>
    public void Add(Command entry, ReadOnlySpan<byte> arguments)
    {
        _entries.Add(entry);
        _arguments.AddRange(arguments);
    }

    /// <summary>Gives every piece of work to <paramref name="doing"/>, in order.</summary>
    public void ForEach(Doing doing)
    {
        ReadOnlySpan<byte> arguments = CollectionsMarshal.AsSpan(_arguments);
        int at = 0;
        foreach (Command entry in _entries)
        {
            int length = entry.Kernel is null ? 0 : (int)entry.Bytes;
            doing(entry, arguments.Slice(at, length));
            at += length;
        }
    }

    /// <inheritdoc/>
    public bool Equals(CommandList? other) => other is not null
        && CollectionsMarshal.AsSpan(_entries).SequenceEqual(CollectionsMarshal.AsSpan(other._entries))
        && CollectionsMarshal.AsSpan(_arguments).SequenceEqual(CollectionsMarshal.AsSpan(other._arguments));

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as CommandList);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.Add(_entries.Count);
        hash.AddBytes(CollectionsMarshal.AsSpan(_arguments));
        return hash.ToHashCode();
    }
}
