using Cliper.Kernels.Operations;

namespace Cliper.Model.Images;

/// <summary>How training images are augmented. With all values off it is the test transform.</summary>
public sealed record Augmentation
{
    /// <summary>The test transform: shorter side to the input size (bicubic), center crop, normalize.</summary>
    public static Augmentation None { get; } = new() { Name = "none" };

    /// <summary>
    /// The authors' RAF-DB script: test transform, brightness 0.4 and hue 0.3, flip, resized crop of 0.15 to 1.
    /// </summary>
    /// <remarks>
    /// The script normalizes before flip and crop; these work on bytes here, which differs by their rounding.
    /// </remarks>
    public static Augmentation Script { get; } = new()
    {
        Name = "script",
        JitterFirst = true,
        CropMin = 0.15f,
        RatioMin = 0.3f,
        RatioMax = 3.3f,
        Flip = 0.5f,
        Brightness = 0.4f,
        Hue = 0.3f,
    };

    /// <summary>
    /// The augmentation that the paper names: resized crop, flip, color jitter, random erasing. The paper's strengths
    /// are not known to us: these are the script's, which has the erasing in a line that is commented out.
    /// </summary>
    public static Augmentation Paper { get; } = new()
    {
        Name = "paper",
        FromOriginal = true,
        BicubicCrop = true,
        CropMin = 0.15f,
        RatioMin = 0.3f,
        RatioMax = 3.3f,
        Flip = 0.5f,
        Brightness = 0.4f,
        Hue = 0.3f,
        Erase = 0.5f,
        EraseMax = 0.2f,
    };

    /// <summary>
    /// For small, tightly cropped images: flip, a slight turn, zoom and shift in one pass, light, small erasing.
    /// </summary>
    public static Augmentation Light { get; } = new()
    {
        Name = "light",
        Flip = 0.5f,
        Rotation = 10,
        Zoom = 0.12f,
        Shift = 0.08f,
        Brightness = 0.3f,
        Contrast = 0.3f,
        Erase = 0.25f,
        EraseMax = 0.15f,
    };

    /// <summary>
    /// The changes of <see cref="Light"/>, stronger: for a tower that would learn some ten thousand images by heart.
    /// </summary>
    public static Augmentation Strong { get; } = Light with
    {
        Name = "strong",
        Rotation = 15,
        Zoom = 0.2f,
        Shift = 0.12f,
        Brightness = 0.4f,
        Contrast = 0.4f,
        Erase = 0.5f,
        EraseMax = 0.25f,
    };

    /// <summary>CoOp's: a bicubic resized crop of 0.08 to 1, and flip.</summary>
    public static Augmentation CoOp { get; } = new()
    {
        Name = "coop",
        FromOriginal = true,
        BicubicCrop = true,
        CropMin = 0.08f,
        Flip = 0.5f,
    };

    /// <summary>The names of the ready ones.</summary>
    public static IReadOnlyList<string> Names { get; } = ["none", "light", "strong", "script", "paper", "coop"];

    /// <summary>Name in settings and reports.</summary>
    public string Name { get; init; } = "custom";

    /// <summary>
    /// Whether crops are taken from the image as it is (its shorter side at most 1.5 input sizes) instead of from the
    /// test transform's square.
    /// </summary>
    public bool FromOriginal { get; init; }

    /// <summary>Whether colors change before flip and crop, as in the script.</summary>
    public bool JitterFirst { get; init; }

    /// <summary>Whether crops are resized with the bicubic filter; bilinear otherwise, as torchvision does.</summary>
    public bool BicubicCrop { get; init; }

    /// <summary>Smallest area of a crop, as a part of the image's; 1 for no random crop.</summary>
    public float CropMin { get; init; } = 1;

    /// <summary>Smallest width by height of a crop.</summary>
    public float RatioMin { get; init; } = 3f / 4;

    /// <summary>Largest width by height of a crop.</summary>
    public float RatioMax { get; init; } = 4f / 3;

    /// <summary>Probability of mirroring left to right.</summary>
    public float Flip { get; init; }

    /// <summary>Largest turn, in degrees to either side.</summary>
    public float Rotation { get; init; }

    /// <summary>Largest change of size: 0.1 for factors of 0.9 to 1.1.</summary>
    public float Zoom { get; init; }

    /// <summary>Largest shift along each axis, as a part of the side.</summary>
    public float Shift { get; init; }

    /// <summary>Brightness factors from 1 - this to 1 + this.</summary>
    public float Brightness { get; init; }

    /// <summary>Contrast factors from 1 - this to 1 + this.</summary>
    public float Contrast { get; init; }

    /// <summary>Saturation factors from 1 - this to 1 + this.</summary>
    public float Saturation { get; init; }

    /// <summary>Hue turns from minus this to this, at most 0.5.</summary>
    public float Hue { get; init; }

    /// <summary>Probability of erasing a rectangle.</summary>
    public float Erase { get; init; }

    /// <summary>Smallest area erased, as a part of the image's.</summary>
    public float EraseMin { get; init; } = 0.02f;

    /// <summary>Largest area erased.</summary>
    public float EraseMax { get; init; } = 0.33f;

    /// <summary>Whether nothing is random.</summary>
    public bool IsNone => !HasCrop && !HasWarp && !HasJitter && Flip <= 0 && Erase <= 0;

    internal bool HasCrop => CropMin < 1;

    internal bool HasWarp => Rotation > 0 || Zoom > 0 || Shift > 0;

    internal bool HasJitter => Brightness > 0 || Contrast > 0 || Saturation > 0 || Hue > 0;

    /// <summary>A ready one by its name.</summary>
    /// <exception cref="SettingsException">There is none of that name.</exception>
    public static Augmentation Named(string name) => name switch
    {
        "none" => None,
        "light" => Light,
        "strong" => Strong,
        "script" => Script,
        "paper" => Paper,
        "coop" => CoOp,
        _ => throw new SettingsException($"there is no augmentation '{name}'; known are {string.Join(", ", Names)}"),
    };

    /// <summary>
    /// The same at a part of its strength: every probability and every range times <paramref name="strength"/>.
    /// </summary>
    /// <param name="strength">0 for nothing random to 1 for this one itself.</param>
    internal Augmentation Scaled(float strength) => strength >= 1 ? this : this with
    {
        CropMin = 1 - strength * (1 - CropMin),
        RatioMin = 1 - strength * (1 - RatioMin),
        RatioMax = 1 + strength * (RatioMax - 1),
        Flip = strength * Flip,
        Rotation = strength * Rotation,
        Zoom = strength * Zoom,
        Shift = strength * Shift,
        Brightness = strength * Brightness,
        Contrast = strength * Contrast,
        Saturation = strength * Saturation,
        Hue = strength * Hue,
        Erase = strength * Erase,
    };

    /// <summary>Throws unless every value is in its range.</summary>
    /// <exception cref="SettingsException">A value is out of range.</exception>
    internal void Check()
    {
        Within(CropMin, nameof(CropMin), 0.01f, 1);
        Within(RatioMin, nameof(RatioMin), 0.01f, RatioMax);
        Within(RatioMax, nameof(RatioMax), RatioMin, 100);
        Within(Flip, nameof(Flip), 0, 1);
        Within(Rotation, nameof(Rotation), 0, 180);
        Within(Zoom, nameof(Zoom), 0, 0.9f);
        Within(Shift, nameof(Shift), 0, 1);
        Within(Brightness, nameof(Brightness), 0, 10);
        Within(Contrast, nameof(Contrast), 0, 10);
        Within(Saturation, nameof(Saturation), 0, 10);
        Within(Hue, nameof(Hue), 0, 0.5f);
        Within(Erase, nameof(Erase), 0, 1);
        Within(EraseMin, nameof(EraseMin), 0, EraseMax);
        Within(EraseMax, nameof(EraseMax), EraseMin, 0.9f);
        if (HasCrop && HasWarp)
            throw new SettingsException(
                $"augmentation {Name}: a random crop and a turn, zoom or shift exclude each other; set CropMin to 1, "
                + "or the others to 0");
        if (FromOriginal && !HasCrop)
            throw new SettingsException($"augmentation {Name}: crops from the original need CropMin below 1");

        void Within(float value, string name, float low, float high)
        {
            if (!(value >= low && value <= high))
                throw new SettingsException($"augmentation {Name}: {name} is from {low} to {high}, given was {value}");
        }
    }

    /// <summary>
    /// Samples torchvision's RandomResizedCrop: ten tries, then the largest centered crop within the ratios.
    /// </summary>
    internal PixelBox DrawCrop(ref RandomStream random, int width, int height)
    {
        double area = (double)width * height, logMin = Math.Log(RatioMin), logMax = Math.Log(RatioMax);
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            double wanted = area * (CropMin + (1 - CropMin) * random.NextUniform());
            double ratio = Math.Exp(logMin + (logMax - logMin) * random.NextUniform());
            int w = (int)Math.Round(Math.Sqrt(wanted * ratio)), h = (int)Math.Round(Math.Sqrt(wanted / ratio));
            if (w > 0 && w <= width && h > 0 && h <= height)
                return new PixelBox(random.NextInt(width - w + 1), random.NextInt(height - h + 1), w, h);
        }
        (int cw, int ch) = (double)width / height < RatioMin ? (width, (int)Math.Round(width / (double)RatioMin))
            : (double)width / height > RatioMax ? ((int)Math.Round(height * (double)RatioMax), height)
            : (width, height);
        return new PixelBox((width - cw) / 2, (height - ch) / 2, cw, ch);
    }

    /// <summary>Samples torchvision's RandomErasing: ten tries, then nothing.</summary>
    internal PixelBox? DrawErase(ref RandomStream random, int size)
    {
        const double LogMax = 1.1939224684724346; // ln 3.3; the ratio is from 0.3 to 3.3
        double logMin = Math.Log(0.3);
        if (!random.NextBool(Erase))
            return null;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            double wanted = (double)size * size * random.NextUniform(EraseMin, EraseMax);
            double ratio = Math.Exp(logMin + (LogMax - logMin) * random.NextUniform());
            int h = (int)Math.Round(Math.Sqrt(wanted * ratio)), w = (int)Math.Round(Math.Sqrt(wanted / ratio));
            if (w > 0 && w < size && h > 0 && h < size)
                return new PixelBox(random.NextInt(size - w + 1), random.NextInt(size - h + 1), w, h);
        }
        return null;
    }

    private const int Attempts = 10;
}
