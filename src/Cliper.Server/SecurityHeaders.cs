using Microsoft.AspNetCore.Http;

namespace Cliper.Server;

/// <summary>
/// Headers of every answer: browsers take it for what it says it is, show it in no frame and keep no copy.
/// </summary>
internal static class SecurityHeaders
{
    private static readonly (string Name, string Value)[] All =
    [
        ("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        ("Cross-Origin-Resource-Policy", "same-origin"), ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(self), microphone=(), geolocation=()"), ("Cache-Control", "no-store"),
    ];

    /// <summary>Adds them to an answer; an endpoint may replace one.</summary>
    public static void AddTo(HttpResponse response)
    {
        foreach ((string name, string value) in All)
            response.Headers[name] = value;
    }
}
