using Microsoft.Extensions.DependencyInjection;

namespace Cliper.Model;

/// <summary>The recognizer as a service of a host.</summary>
public static class CliperServices
{
    /// <summary>
    /// Adds one <see cref="ExpressionRecognizer"/> for all that ask for it: loaded when it is first asked for, ended
    /// with the host.
    /// </summary>
    /// <param name="services">The services.</param>
    /// <param name="model">A run's folder, a checkpoint, or the name of a shipped model; null for the model that comes
    /// with the package.</param>
    /// <param name="options">How it looks; null for the usual.</param>
    /// <returns>The services.</returns>
    public static IServiceCollection AddCliper(this IServiceCollection services, string? model = null,
        RecognizerOptions? options = null) => services.AddSingleton(_ => model is null
            ? ExpressionRecognizer.Load(options) : ExpressionRecognizer.Load(model, options));
}
