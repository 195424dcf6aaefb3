using System.Globalization;
using System.Security.Cryptography;
using Cliper.Kernels.Operations;
using Cliper.Model.Images;

namespace Cliper.Model.Samples;

/// <summary>One picture of a sample, loaded when it is needed. May be loaded on several threads at once.</summary>
public abstract class Frame
{
    /// <summary>What a person would call it: a file name, or a file and row.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// Changes when the picture may have changed; the cache of decoded pixels is rebuilt then.
    /// </summary>
    public abstract string Identity { get; }

    /// <summary>The picture.</summary>
    /// <exception cref="InputException">It cannot be read.</exception>
    public abstract RgbImage Load(IImageCodec codec);
}

/// <summary>A picture file.</summary>
/// <param name="path">Its path.</param>
public sealed class FileFrame(string path) : Frame
{
    /// <summary>Path of the file.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string Name => path;

    /// <inheritdoc/>
    public override string Identity
    {
        get
        {
            var file = new FileInfo(path);
            return file.Exists
                ? string.Create(CultureInfo.InvariantCulture, $"{file.FullName}|{file.Length}|{file.LastWriteTimeUtc.Ticks}")
                : file.FullName;
        }
    }

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the picture cannot be read ({failure.Message})", failure);
        }
        return codec.Decode(bytes, path);
    }
}

/// <summary>A part of another picture.</summary>
/// <param name="inner">The whole picture.</param>
/// <param name="box">The part, in pixels; what lies outside of the picture is cut off.</param>
public sealed class CutFrame(Frame inner, PixelBox box) : Frame
{
    /// <inheritdoc/>
    public override string Name => inner.Name;

    /// <inheritdoc/>
    public override string Identity => string.Create(CultureInfo.InvariantCulture,
        $"{inner.Identity}|{box.X},{box.Y},{box.Width},{box.Height}");

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec) => inner.Load(codec).Cut(box, Name);
}

/// <summary>A gray picture held in memory, such as a row of fer2013.csv.</summary>
/// <param name="name">What to call it.</param>
/// <param name="width">Columns.</param>
/// <param name="height">Rows.</param>
/// <param name="pixels">[height, width].</param>
public sealed class GrayFrame(string name, int width, int height, byte[] pixels) : Frame
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override string Identity => $"{width}x{height}|{Convert.ToHexString(SHA256.HashData(pixels))}";

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec)
    {
        var rgb = new byte[3 * pixels.Length];
        for (int i = 0; i < pixels.Length; i++)
            rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = pixels[i];
        return new RgbImage(width, height, rgb);
    }
}

/// <summary>A picture that the program makes itself.</summary>
/// <param name="name">What to call it; the same name must always give the same picture.</param>
/// <param name="draw">Makes the picture; may be called on any thread, more than once.</param>
public sealed class DrawnFrame(string name, Func<RgbImage> draw) : Frame
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override string Identity => name;

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec) => draw();
}
