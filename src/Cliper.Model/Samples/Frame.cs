using System.Globalization;
using System.Security.Cryptography;
using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.IO;

namespace Cliper.Model.Samples;

/// <summary>One image of a sample, loaded when it is needed. Thread-safe.</summary>
public abstract class Frame
{
    /// <summary>Name that error messages use: a file name, or a file and row.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// Key of the image's content: it changes when the image may have changed, and the pixel cache is rebuilt then.
    /// </summary>
    public abstract string Identity { get; }

    /// <summary>Loads the image.</summary>
    /// <exception cref="InputException">The image cannot be read.</exception>
    public abstract RgbImage Load(IImageCodec codec);

    /// <summary>
    /// Whether <see cref="LoadMany"/> can load this frame in one run with the one before it: frames of one video in
    /// ascending order can.
    /// </summary>
    internal virtual bool Continues(Frame previous) => false;

    /// <summary>
    /// Loads a run of frames, each of which continues the one before it. Called on the first frame of the run.
    /// </summary>
    /// <param name="run">The frames; the first is this one.</param>
    /// <param name="codec">Decodes files.</param>
    /// <param name="loaded">Receives each frame that can be read, with its position in the run.</param>
    /// <param name="failed">Receives the position of each frame that cannot be read, and the reason.</param>
    internal virtual void LoadMany(IReadOnlyList<Frame> run, IImageCodec codec, Action<int, RgbImage> loaded,
        Action<int, InputException> failed)
    {
        for (int i = 0; i < run.Count; i++)
        {
            RgbImage image;
            try
            {
                image = run[i].Load(codec);
            }
            catch (InputException failure)
            {
                failed(i, failure);
                continue;
            }
            loaded(i, image);
        }
    }

    /// <summary>
    /// Splits the frames from <paramref name="start"/> up to <paramref name="end"/> into runs of frames that continue
    /// one another.
    /// </summary>
    /// <returns>Index of the first frame and number of frames of each run.</returns>
    internal static IEnumerable<(int First, int Count)> Runs(IReadOnlyList<Frame> frames, int start, int end)
    {
        for (int first = start, next; first < end; first = next)
        {
            for (next = first + 1; next < end && frames[next].Continues(frames[next - 1]);)
                next++;
            yield return (first, next - first);
        }
    }

    /// <summary>Loads frames in order, each run of them together; one decoded image is held at a time.</summary>
    /// <param name="frames">The frames.</param>
    /// <param name="codec">Decodes files.</param>
    /// <param name="loaded">Receives each image that can be read, with the index of its frame.</param>
    /// <param name="failed">Receives the index of each frame that cannot be read, and the reason.</param>
    internal static void LoadAll(IReadOnlyList<Frame> frames, IImageCodec codec, Action<int, RgbImage> loaded,
        Action<int, InputException> failed)
    {
        foreach ((int first, int count) in Runs(frames, 0, frames.Count))
            frames[first].LoadMany([.. frames.Skip(first).Take(count)], codec,
                (index, image) => loaded(first + index, image), (index, failure) => failed(first + index, failure));
    }
}

/// <summary>An image file.</summary>
/// <param name="path">Its path.</param>
public sealed class FileFrame(string path) : Frame
{
    /// <summary>Longest file that is read into memory, in bytes: the largest image, uncompressed, is smaller.</summary>
    private const long LongestFile = 1L << 30;

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
                ? string.Create(CultureInfo.InvariantCulture,
                    $"{file.FullName}|{file.Length}|{file.LastWriteTimeUtc.Ticks}")
                : file.FullName;
        }
    }

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec)
    {
        byte[] bytes;
        RegularFile.Require(path);
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > LongestFile and var length })
                throw new InputException($"{path}: a picture of {length:N0} bytes, expected at most {LongestFile:N0}");
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the picture cannot be read ({failure.Message})", failure);
        }
        return codec.Decode(bytes, path);
    }
}

/// <summary>A crop of another image.</summary>
/// <param name="inner">The whole image.</param>
/// <param name="box">The crop, in pixels; it is clipped to the image.</param>
public sealed class CutFrame(Frame inner, PixelBox box) : Frame
{
    /// <inheritdoc/>
    public override string Name => inner.Name;

    /// <inheritdoc/>
    public override string Identity => string.Create(CultureInfo.InvariantCulture,
        $"{inner.Identity}|{box.X},{box.Y},{box.Width},{box.Height}");

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec)
    {
        RgbImage image = inner.Load(codec);
        return image.Cut(image.FromOriginal(box), Name);
    }
}

/// <summary>A gray image held in memory, such as a row of fer2013.csv.</summary>
/// <param name="name">Name for error messages.</param>
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

/// <summary>An image that the program computes.</summary>
/// <param name="name">Name and identity; the same name must always give the same image.</param>
/// <param name="render">Computes the image; may be called on any thread, more than once.</param>
public sealed class GeneratedFrame(string name, Func<RgbImage> render) : Frame
{
    /// <inheritdoc/>
    public override string Name => name;

    /// <inheritdoc/>
    public override string Identity => name;

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec) => render();
}
