using System.Security.Cryptography;
using Cliper.Model.Images;

namespace Cliper.Model.Samples;

/// <summary>An image file's content in memory.</summary>
/// <param name="name">Name for error messages.</param>
/// <param name="bytes">The content.</param>
public sealed class EncodedFrame(string name, byte[] bytes) : Frame
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override string Identity => Convert.ToHexString(SHA256.HashData(bytes));

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec) => codec.Decode(bytes, name);
}
