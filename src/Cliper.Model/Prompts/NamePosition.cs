namespace Cliper.Model.Prompts;

/// <summary>Where the class name stands in a prompt with n learned tokens.</summary>
public enum NamePosition
{
    /// <summary>Behind them: V1 .. Vn name.</summary>
    End,

    /// <summary>Between them: n / 2, rounded down, before it, the others behind.</summary>
    Middle,

    /// <summary>Before them: name V1 .. Vn.</summary>
    Front,
}
