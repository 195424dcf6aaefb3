namespace Cliper.Model.Samples;

/// <summary>A labeled image or clip.</summary>
/// <param name="Name">Unique within its split: the file or folder relative to the data set.</param>
/// <param name="Label">Index into <see cref="DataSplit.Classes"/>.</param>
/// <param name="Frames">One for an image; a clip's frames in order of time.</param>
/// <param name="Group">Whose face it is, where the data set tells; samples of one group are never split up.</param>
/// <param name="Votes">
/// Shares of the classes, adding up to 1, by which training draws a label in each epoch; null for the label alone.
/// </param>
public sealed record Sample(string Name, int Label, IReadOnlyList<Frame> Frames, string? Group = null,
    IReadOnlyList<float>? Votes = null);
