using Cliper.Model.Text;

namespace Cliper.Model.Tests.Text;

public sealed class HtmlEntitiesTests
{
    // ftfy 6.3 reads a name in capitals where HTML 5 knows it in small letters alone.
    [TestCase("&EACUTE;", "\u00C9")]
    [TestCase("&AMACR;", "\u0100")]
    [TestCase("&AFR;", "\U0001D51E")]
    [TestCase("&IMATH;", "I")]
    [TestCase("&SZLIG;", "SS")]
    [TestCase("&NAPOS;", "\u02BCN")]
    [TestCase("&FFILIG;", "FFI")]
    // HTML 5 reads "&GT" and "&COPY" without a semicolon, so that these begin with a reference.
    [TestCase("&GTCC;", "&GTCC;")]
    [TestCase("&COPYSR;", "&COPYSR;")]
    [TestCase("&nosuch;", "&nosuch;")]
    public void UnescapeWhole_NameInCapitals_IsFtfys(string text, string expected) =>
        Assert.That(HtmlEntities.UnescapeWhole(text), Is.EqualTo(expected));
}
