using Cliper.Model.IO;

namespace Cliper.Model.DataSets;

/// <summary>Reads a list until the options' token cancels it.</summary>
/// <param name="path">The file.</param>
/// <param name="options">The options, whose token cancels the reading.</param>
internal sealed class ListReader(string path, DataSetOptions options) : Utf8LineReader(path, options.Cancellation);
