using SkiaSharp;

namespace Cliper.Model.SyntheticFaces;

// Colors, and the effects of light, lens and sensor on the finished image.
internal sealed partial class FaceRenderer
{
    private Palette MixColors()
    {
        SKColor skin = Perturb(_face.Skin switch
        {
            SkinTone.Pale => new SKColor(250, 222, 206),
            SkinTone.Light => new SKColor(240, 198, 168),
            SkinTone.Tan => new SKColor(214, 162, 122),
            SkinTone.Brown => new SKColor(164, 110, 76),
            _ => new SKColor(112, 74, 54),
        }, 12);
        SKColor hair = Perturb(_face.Hair switch
        {
            HairColor.Black => new SKColor(34, 29, 30),
            HairColor.Brown => new SKColor(98, 62, 40),
            HairColor.Blond => new SKColor(226, 188, 106),
            HairColor.Red => new SKColor(190, 80, 36),
            HairColor.Gray => new SKColor(146, 146, 150),
            _ => new SKColor(232, 231, 228),
        }, 10);
        var dark = new SKColor(38, 20, 20);
        SKColor red = _face is { Build: FaceBuild.Female, Age: FaceAge.Young }
            ? new SKColor(196, 46, 62)
            : new SKColor(176, 72, 70);
        SKColor iris = _details.Pick<SKColor>(
            [new(60, 38, 24), new(78, 50, 28), new(66, 106, 150), new(72, 116, 78), new(90, 100, 108)]);
        SKColor background = Muted(RandomColor(50, 235));
        return new Palette(
            Skin: skin,
            Shade: Mix(skin, dark, 0.22f),
            Line: Mix(skin, dark, 0.62f),
            Hair: hair,
            Brow: Mix(hair, dark, _face.Hair == HairColor.Black ? 0.2f : 0.45f),
            Lip: Mix(skin, red, _face.Age == FaceAge.Child ? 0.45f : 0.62f),
            Iris: _face.Skin >= SkinTone.Brown ? new SKColor(50, 32, 22) : iris,
            Clothes: RandomColor(40, 210),
            Background: background,
            BackgroundEdge: Mix(background, Muted(RandomColor(20, 235)), 0.6f));
    }

    private SKColor Perturb(SKColor color, float std)
    {
        float brightness = std * _details.Normal();
        return new SKColor(
            ToByte(color.Red + brightness + (0.3f * std * _details.Normal())),
            ToByte(color.Green + brightness + (0.3f * std * _details.Normal())),
            ToByte(color.Blue + brightness + (0.3f * std * _details.Normal())));
    }

    private SKColor RandomColor(float low, float high) => new(
        ToByte(_details.Uniform(low, high)), ToByte(_details.Uniform(low, high)), ToByte(_details.Uniform(low, high)));

    /// <summary>Half way to gray, as walls and landscapes are.</summary>
    private static SKColor Muted(SKColor color)
    {
        byte gray = (byte)((color.Red + color.Green + color.Blue) / 3);
        return Mix(color, new SKColor(gray, gray, gray), 0.5f);
    }

    private static byte ToByte(float value) => (byte)Math.Clamp(value, 0, 255);

    private void RenderBackground()
    {
        _canvas.Clear(_colors.Background);
        _fill.Color = _colors.BackgroundEdge;
        switch (_details.Below(4))
        {
            case 0: // a wall and a floor
                _canvas.DrawRect(0, _size * _details.Uniform(0.5f, 0.9f), _size, _size, _fill);
                break;
            case 1: // a window or a door
                float left = _size * _details.Uniform(-0.2f, 0.8f);
                _canvas.DrawRect(left, 0, _size * _details.Uniform(0.2f, 0.5f), _size * 0.8f, _fill);
                break;
            case 2: // spots out of focus
                for (int spot = 0; spot < 4; spot++)
                    _canvas.DrawCircle(_size * _details.Uniform(), _size * _details.Uniform(),
                        _size * _details.Uniform(0.08f, 0.3f), _fill);
                break;
        }
    }

    /// <summary>Multiplies by the light, blurs, adds noise, and writes the image.</summary>
    private void Develop(Span<byte> pixels)
    {
        _canvas.Flush();
        ReadOnlySpan<byte> rendered = _bitmap.GetPixelSpan();
        for (int source = 0, target = 0; target < pixels.Length; source += 4, target += 3)
        {
            pixels[target] = rendered[source];
            pixels[target + 1] = rendered[source + 1];
            pixels[target + 2] = rendered[source + 2];
        }
        if (_face.Blur > 0)
            Soften(pixels);
        Expose(pixels);
    }

    private void Expose(Span<byte> pixels)
    {
        float strength = _face.LightStrength;
        (float red, float green, float blue, float slope) = _face.Light switch
        {
            FaceLight.Left => (-0.2f, -0.2f, -0.2f, -0.5f),
            FaceLight.Right => (-0.2f, -0.2f, -0.2f, 0.5f),
            FaceLight.Dark => (-0.62f, -0.62f, -0.58f, 0f),
            FaceLight.Warm => (0.1f, -0.1f, -0.4f, 0f),
            FaceLight.Cold => (-0.36f, -0.12f, 0.1f, 0f),
            _ => (0f, 0f, 0f, 0f),
        };
        ReadOnlySpan<float> tint = [1 + (red * strength), 1 + (green * strength), 1 + (blue * strength)];
        // Half the difference of two uniform bytes has a standard deviation of 256 / sqrt(24) = 52.3.
        float std = _face.Noise / 52.3f;
        uint bits = 0;
        int left = 0;
        for (int y = 0; y < _size; y++)
        {
            Span<byte> row = pixels.Slice(y * _size * 3, _size * 3);
            for (int x = 0; x < _size; x++)
            {
                float gain = 1 + (slope * strength * ((2f * x / _size) - 1));
                for (int channel = 0; channel < 3; channel++)
                {
                    if (left < 2)
                    {
                        bits = _details.Word();
                        left = 4;
                    }
                    float noise = ((int)(bits & 255) - (int)((bits >> 8) & 255)) * 0.5f * std;
                    bits >>= 16;
                    left -= 2;
                    ref byte value = ref row[(x * 3) + channel];
                    value = ToByte((value * gain * tint[channel]) + noise + 0.5f);
                }
            }
        }
    }

    /// <summary>A binomial filter (1, 2, 1)/4 in both directions, mixed with the image by the blur's share.</summary>
    private void Soften(Span<byte> pixels)
    {
        int row = _size * 3;
        byte[] copy = pixels.ToArray();
        int share = (int)(_face.Blur * 256);
        for (int y = 0; y < _size; y++)
        {
            int above = Math.Max(y - 1, 0) * row;
            int here = y * row;
            int below = Math.Min(y + 1, _size - 1) * row;
            for (int x = 0; x < row; x++)
            {
                int before = x < 3 ? x : x - 3;
                int after = x >= row - 3 ? x : x + 3;
                int soft = copy[above + before] + (2 * copy[above + x]) + copy[above + after]
                    + (2 * (copy[here + before] + (2 * copy[here + x]) + copy[here + after]))
                    + copy[below + before] + (2 * copy[below + x]) + copy[below + after];
                pixels[here + x] = (byte)(((copy[here + x] * 16 * (256 - share)) + (soft * share)) >> 12);
            }
        }
    }
}
