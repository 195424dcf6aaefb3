namespace Cliper.Model.DataSets;

/// <summary>A text file whose reading ends when the options ask for it.</summary>
/// <param name="path">The file.</param>
/// <param name="options">Say when.</param>
internal sealed class ListReader(string path, DataSetOptions options) : StreamReader(path)
{
    /// <inheritdoc/>
    /// <exception cref="OperationCanceledException">The reading is to end.</exception>
    public override string? ReadLine()
    {
        options.Cancellation.ThrowIfCancellationRequested();
        return base.ReadLine();
    }
}
