using System.Security.Cryptography;
using System.Text;

namespace Cliper.Server;

/// <summary>What the server holds for people: the page, in one piece, and the description of the endpoints.</summary>
internal static class Page
{
    private static readonly string Style = Read("page.css"), Script = Read("page.js");

    /// <summary>The page, with its style and its script.</summary>
    public static ReadOnlyMemory<byte> Html { get; } = Encoding.UTF8.GetBytes(Read("page.html")
        .Replace("/*style*/", Style, StringComparison.Ordinal).Replace("/*script*/", Script, StringComparison.Ordinal));

    /// <summary>The policy that lets the page run its own script and style, talk to its own server, and nothing
    /// else.</summary>
    public static string SecurityPolicy { get; } = $"default-src 'none'; script-src {HashOf(Script)}; style-src "
        + $"{HashOf(Style)}; connect-src 'self'; img-src blob: data:; media-src blob:; base-uri 'none'; form-action "
        + "'none'; frame-ancestors 'none'";

    /// <summary>The description of the endpoints (OpenAPI 3.1).</summary>
    public static ReadOnlyMemory<byte> OpenApi { get; } = Encoding.UTF8.GetBytes(Read("openapi.json"));

    private static string HashOf(string text) =>
        $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)))}'";

    private static string Read(string name)
    {
        using Stream stream = typeof(Page).Assembly.GetManifestResourceStream($"Cliper.Server.{name}")!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
