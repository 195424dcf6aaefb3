using System.Net;
using System.Security.Cryptography;
using System.Text;
using Cliper.Model;

namespace Cliper.Server;

/// <summary>The page, in one piece, and the description of the endpoints.</summary>
internal static class Page
{
    private static readonly string Style = Read("page.css"), Script = Read("page.js");

    private static readonly string Html = Read("page.html").Replace("/*style*/", Style, StringComparison.Ordinal)
        .Replace("/*script*/", Script, StringComparison.Ordinal);

    /// <summary>The page, with its style, its script, and the terms of the model.</summary>
    /// <param name="model">The model; null for one that is not loaded yet.</param>
    public static ReadOnlyMemory<byte> For(RecognizerModel? model)
    {
        string terms = model is null ? ""
            : string.Join(' ', model.Notes.Prepend($"Model: {model.Name}").Select(note => note.TrimEnd('.') + "."));
        return Encoding.UTF8.GetBytes(Html.Replace("<!--terms-->", WebUtility.HtmlEncode(terms),
            StringComparison.Ordinal));
    }

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
