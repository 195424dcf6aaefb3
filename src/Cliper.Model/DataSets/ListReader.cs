namespace Cliper.Model.DataSets;

/// <summary>Reads a text file until the options' token cancels it.</summary>
/// <param name="path">The file.</param>
/// <param name="options">The options, whose token cancels the reading.</param>
internal sealed class ListReader(string path, DataSetOptions options) : StreamReader(path)
{
    /// <inheritdoc/>
    /// <exception cref="OperationCanceledException">The reading was canceled.</exception>
    public override string? ReadLine()
    {
        options.Cancellation.ThrowIfCancellationRequested();
        return base.ReadLine();
    }
}
