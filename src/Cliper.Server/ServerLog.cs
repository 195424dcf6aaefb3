using Microsoft.Extensions.Logging;

namespace Cliper.Server;

/// <summary>The messages to whoever runs the server. No file name, picture or answer is ever logged.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(1, LogLevel.Error, "the model could not be loaded")]
    public static partial void ModelNotLoaded(ILogger log, Exception failure);

    [LoggerMessage(2, LogLevel.Error, "a request to {Endpoint} failed")]
    public static partial void RequestFailed(ILogger log, string endpoint, Exception failure);
}
