using System.Text;

namespace Cliper.Model.Images;

/// <summary>Recognizes files that hold no frames and name other files, by their first bytes.</summary>
internal static class Playlists
{
    private static readonly (string Start, string Name)[] Starts =
    [
        ("#EXTM3U", "an HLS or M3U playlist"),
        ("ffconcat version", "a list for ffmpeg's concat (ffconcat)"),
        ("[playlist]", "a PLS playlist"),
        ("[Reference]", "a playlist of Windows Media (ASX)"),
        ("<asx", "a playlist of Windows Media (ASX)"),
        ("<smil", "a SMIL playlist"),
        ("<MPD", "a DASH manifest"),
        ("<SmoothStreamingMedia", "a manifest of Smooth Streaming"),
        ("<playlist", "an XSPF playlist"),
        ("v=0\no=", "a description of a stream (SDP)"),
        ("v=0\r\no=", "a description of a stream (SDP)"),
    ];

    /// <summary>Names a kind of playlist; null for any other file.</summary>
    /// <param name="head">The file's first bytes.</param>
    public static string? Describe(ReadOnlySpan<byte> head)
    {
        string text = Encoding.Latin1.GetString(head).TrimStart('\u00EF', '\u00BB', '\u00BF').TrimStart();
        // The root of an XML file comes after its declaration and comments.
        bool isXml = text.StartsWith("<?xml", StringComparison.OrdinalIgnoreCase);
        foreach ((string start, string name) in Starts)
            if (text.StartsWith(start, StringComparison.OrdinalIgnoreCase)
                || isXml && start[0] == '<' && text.Contains(start, StringComparison.OrdinalIgnoreCase))
                return name;
        return null;
    }
}
