using System.Text.Json;

namespace Cliper.Model.IO;

/// <summary>JSON files from elsewhere, read so that whatever is wrong with them becomes an
/// <see cref="InputException"/>.</summary>
internal static class JsonInput
{
    /// <summary>A whole file; repeated names in an object, text that is no UTF-8, and nesting beyond 64 levels are
    /// faults.</summary>
    /// <param name="path">The file.</param>
    /// <param name="longest">Bytes beyond which it is refused, so that a wrong file does not fill the memory.</param>
    public static JsonDocument Read(string path, long longest) => Parse(ReadBytes(path, longest), path);

    /// <summary>Parses the bytes of the file <paramref name="path"/>, with the same faults.</summary>
    public static JsonDocument Parse(byte[] bytes, string path)
    {
        try
        {
            JsonDocument document = JsonDocument.Parse(bytes,
                new JsonDocumentOptions { AllowDuplicateProperties = false });
            try
            {
                CheckText(document.RootElement);
                return document;
            }
            catch
            {
                document.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InputException($"{path}: not valid JSON: {Reason(e)}; get or write the file anew", e);
        }
    }

    /// <summary>Shortens a reader's message to one line, because it may quote the rest of the file.</summary>
    public static string Reason(Exception failure)
    {
        const int Head = 60, Tail = 140;
        string text = failure.Message;
        string shown = text.Length > Head + Tail ? $"{text[..Head]}…{text[^Tail..]}" : text;
        return ForeignText.Printable(shown);
    }

    /// <summary>A whole file as bytes.</summary>
    public static byte[] ReadBytes(string path, long longest)
    {
        RegularFile.Require(path);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1);
            if (stream.Length > longest)
                throw new InputException($"{path}: {stream.Length:N0} bytes, expected at most {longest:N0}; " +
                    "check that this is the file that is meant");
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return bytes;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InputException($"{path}: no such file", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    // JsonDocument looks at the text of a string only when asked for it; asking once here keeps the callers simple.
    private static void CheckText(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    _ = property.Name;
                    CheckText(property.Value);
                }
                break;
            case JsonValueKind.Array:
                foreach (JsonElement item in element.EnumerateArray())
                    CheckText(item);
                break;
            case JsonValueKind.String:
                _ = element.GetString();
                break;
        }
    }
}
