using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;

namespace Cliper.Model.Reporting;

/// <summary>
/// A piece of HTML. Made from interpolated strings whose literal parts are markup and whose holes are text: every hole
/// is escaped unless it is HTML itself, so no name from a data set can become markup. Numbers are written invariantly.
/// </summary>
internal readonly struct Html(string markup)
{
    private readonly string? _markup = markup;

    /// <summary>Nothing.</summary>
    public static Html Empty => default;

    /// <summary>Whether there is nothing.</summary>
    public bool IsEmpty => string.IsNullOrEmpty(_markup);

    /// <summary>HTML from an interpolated string.</summary>
    public static Html Of(Builder builder) => builder.ToHtml();

    /// <summary>Pieces one after the other.</summary>
    public static Html Join(IEnumerable<Html> pieces) => new(string.Concat(pieces.Select(piece => piece.ToString())));

    /// <inheritdoc/>
    public override string ToString() => _markup ?? "";

    /// <summary>Takes the parts of an interpolated string from the compiler.</summary>
    [InterpolatedStringHandler]
    internal readonly struct Builder(int literalLength, int formattedCount)
    {
        private readonly StringBuilder _text = new(literalLength + (formattedCount * 16));

        public void AppendLiteral(string literal) => _text.Append(literal);

        public void AppendFormatted(Html html) => _text.Append(html.ToString());

        public void AppendFormatted(IEnumerable<Html> pieces) => _text.Append(Join(pieces).ToString());

        public void AppendFormatted<T>(T value, string? format = null) where T : IFormattable =>
            _text.Append(WebUtility.HtmlEncode(value.ToString(format, CultureInfo.InvariantCulture)));

        public void AppendFormatted(string? text) => _text.Append(WebUtility.HtmlEncode(text));

        public Html ToHtml() => new(_text.ToString());
    }
}
