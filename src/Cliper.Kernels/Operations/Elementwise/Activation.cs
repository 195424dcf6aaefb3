namespace Cliper.Kernels.Operations;

/// <summary>The activation that a linear layer applies to its result, in the same pass.</summary>
public enum Activation
{
    /// <summary>The result as it is.</summary>
    None,

    /// <summary><see cref="QuickGelu"/>: OpenAI's CLIP.</summary>
    QuickGelu,

    /// <summary><see cref="Gelu"/>: some CLIPs trained by others.</summary>
    Gelu,
}

/// <summary>Work that is generic over an activation's operation, so that each gets code of its own.</summary>
public interface IActivationVisitor
{
    /// <summary>Does the work with the operation of the activation that was asked for.</summary>
    void Visit<TOperation>() where TOperation : struct, IUnaryOperation;
}

/// <summary>A row of <see cref="Activations.All"/>: an activation, its name in files, and its operation.</summary>
public abstract class ActivationEntry
{
    private protected ActivationEntry(Activation activation, string name) => (Activation, Name) = (activation, name);

    /// <summary>The activation.</summary>
    public Activation Activation { get; }

    /// <summary>Its name in the configurations of Hugging Face.</summary>
    public string Name { get; }

    /// <summary>Gives the activation's operation to <paramref name="visitor"/>.</summary>
    public abstract void Accept<TVisitor>(TVisitor visitor) where TVisitor : IActivationVisitor;
}

/// <summary>Every activation but <see cref="Activation.None"/>, each with its name and its operation.</summary>
public static class Activations
{
    /// <summary>The table; a new activation is a member of the enum and a line here.</summary>
    public static IReadOnlyList<ActivationEntry> All { get; } =
    [
        new Entry<QuickGelu>(Activation.QuickGelu, "quick_gelu"),
        new Entry<Gelu>(Activation.Gelu, "gelu"),
    ];

    /// <summary>The row of an activation.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is none of the table.</exception>
    public static ActivationEntry Find(Activation activation)
    {
        foreach (ActivationEntry entry in All)
            if (entry.Activation == activation)
                return entry;
        throw new ArgumentOutOfRangeException(nameof(activation), activation, "no such activation");
    }

    private sealed class Entry<TOperation>(Activation activation, string name) : ActivationEntry(activation, name)
        where TOperation : struct, IUnaryOperation
    {
        public override void Accept<TVisitor>(TVisitor visitor) => visitor.Visit<TOperation>();
    }
}
