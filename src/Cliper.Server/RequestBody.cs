using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Cliper.Server;

/// <summary>A picture of a request.</summary>
/// <param name="Name">Its file name, or <see cref="RequestBody.Unnamed"/>.</param>
/// <param name="Bytes">The encoded picture.</param>
internal readonly record struct Upload(string Name, ReadOnlyMemory<byte> Bytes);

/// <summary>Reads the bodies of requests into memory: no part of them is ever written to a file.</summary>
internal static class RequestBody
{
    /// <summary>The name of a picture that comes without one.</summary>
    public const string Unnamed = "image";

    private const string FilePart = "file";
    private const int ChunkBytes = 64 << 10, MostBoundary = 70, MostName = 255;

    /// <summary>The bytes of a body.</summary>
    /// <param name="request">The request.</param>
    /// <param name="place">Counts the bytes.</param>
    /// <param name="most">Most bytes.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="RequestException">There are too many bytes: 413, or 503.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpRequest request, Admission.Place place, int most,
        CancellationToken cancellation)
    {
        if (request.ContentLength > most)
            throw TooLarge(most);
        using var body = new MemoryStream();
        var chunk = new byte[ChunkBytes];
        for (int read; (read = await request.Body.ReadAsync(chunk, cancellation).ConfigureAwait(false)) > 0;)
        {
            place.Hold(read);
            if (body.Length + read > most)
                throw TooLarge(most);
            body.Write(chunk, 0, read);
        }
        return body.GetBuffer().AsMemory(0, (int)body.Length);
    }

    /// <summary>The pictures of a body: all of it, or the parts named <c>file</c> of a multipart body.</summary>
    /// <param name="contentType">The type that the request states; null for none.</param>
    /// <param name="body">The body.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="RequestException">A multipart body is malformed or has no picture: 400.</exception>
    public static async Task<IReadOnlyList<Upload>> PicturesAsync(string? contentType, ReadOnlyMemory<byte> body,
        CancellationToken cancellation)
    {
        if (!MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? type)
            || !type.Type.Equals("multipart", StringComparison.OrdinalIgnoreCase))
            return [new Upload(Unnamed, body)];
        string boundary = HeaderUtilities.RemoveQuotes(type.Boundary).ToString();
        if (boundary.Length is 0 or > MostBoundary)
            throw Malformed($"its boundary has {boundary.Length} characters, expected 1 to {MostBoundary}");
        var pictures = new List<Upload>();
        try
        {
            var reader = new MultipartReader(boundary, new MemoryStream(body.ToArray(), writable: false));
            while (await reader.ReadNextSectionAsync(cancellation).ConfigureAwait(false) is { } section)
                if (ContentDispositionHeaderValue.TryParse(section.ContentDisposition,
                    out ContentDispositionHeaderValue? part)
                    && HeaderUtilities.RemoveQuotes(part.Name).Equals(FilePart, StringComparison.Ordinal))
                    pictures.Add(new Upload(NameOf(part), await BytesOf(section, cancellation).ConfigureAwait(false)));
        }
        catch (Exception failure) when (failure is InvalidDataException or IOException)
        {
            throw Malformed(failure.Message);
        }
        return pictures.Count > 0 ? pictures : throw Malformed($"it has no part named {FilePart}");
    }

    private static async Task<ReadOnlyMemory<byte>> BytesOf(MultipartSection section, CancellationToken cancellation)
    {
        using var bytes = new MemoryStream();
        await section.Body.CopyToAsync(bytes, cancellation).ConfigureAwait(false);
        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }

    /// <summary>The name that the answer gives back: what is no text is left out, and a long one is cut.</summary>
    private static string NameOf(ContentDispositionHeaderValue part)
    {
        string given = HeaderUtilities.RemoveQuotes(part.FileNameStar.HasValue ? part.FileNameStar : part.FileName)
            .ToString();
        var name = new StringBuilder();
        foreach (Rune rune in given.EnumerateRunes())
            if (!Rune.IsControl(rune) && rune != Rune.ReplacementChar && name.Length < MostName)
                name.Append(rune.ToString());
        return string.IsNullOrWhiteSpace(name.ToString()) ? Unnamed : name.ToString();
    }

    private static RequestException TooLarge(int most) => new(StatusCodes.Status413PayloadTooLarge,
        $"the body has more than {most >> 20} MiB; send a smaller picture, or fewer at a time");

    private static RequestException Malformed(string reason) =>
        new(StatusCodes.Status400BadRequest, $"the multipart body is malformed: {reason}");
}
