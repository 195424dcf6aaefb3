using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Cliper.Model;
using Cliper.Model.Images;

namespace Cliper.ServerBenchmark;

/// <summary>A request of the load, and the answers that it may get.</summary>
/// <param name="Name">Its name in the output.</param>
/// <param name="Path">Where it goes.</param>
/// <param name="ContentType">Its type; null for none.</param>
/// <param name="Body">Its body.</param>
/// <param name="Status">The status code that it has to get.</param>
/// <param name="Expected">The library's probabilities of every face, in their order; null for a refusal.</param>
internal sealed record LoadRequest(string Name, string Path, string? ContentType, byte[] Body, int Status,
    float[][]? Expected)
{
    /// <summary>Whether an answer is the library's, up to the order in which a batch is summed.</summary>
    public bool IsRight(byte[] answer)
    {
        const float Tolerance = 1e-5f;
        if (Expected is null)
            return true;
        float[][] given = Path.StartsWith("v2", StringComparison.Ordinal) ? Tensor(answer) : Document(answer);
        return given.Length == Expected.Length && given.Zip(Expected).All(pair => pair.First.Length
            == pair.Second.Length && pair.First.Zip(pair.Second).All(both =>
            MathF.Abs(both.First - both.Second) <= Tolerance));
    }

    private static float[][] Document(byte[] answer) => [.. JsonDocument.Parse(answer).RootElement
        .GetProperty("results").EnumerateArray().SelectMany(file => file.GetProperty("faces").EnumerateArray())
        .Select(face => face.GetProperty("probabilities").EnumerateObject()
            .Select(member => member.Value.GetSingle()).ToArray())];

    private static float[][] Tensor(byte[] answer)
    {
        JsonElement output = JsonDocument.Parse(answer).RootElement.GetProperty("outputs")[0];
        return [.. output.GetProperty("data").EnumerateArray().Select(value => value.GetSingle())
            .Chunk(output.GetProperty("shape")[1].GetInt32())];
    }
}

/// <summary>The bodies that the server gets: valid ones with the library's answers, and hostile ones.</summary>
internal sealed class Bodies
{
    private const int CropSide = 48;

    private readonly ExpressionRecognizer _library;

    /// <summary>Bodies made of a photo.</summary>
    /// <param name="library">Answers the valid ones.</param>
    /// <param name="photo">A photo with faces.</param>
    public Bodies(ExpressionRecognizer library, byte[] photo)
    {
        (_library, Photo) = (library, photo);
        RgbImage image = SkiaImageCodec.Instance.Decode(photo, "photo");
        Crops = [.. Enumerable.Range(0, 8).Select(number => SkiaImageCodec.Instance.Encode(Part(image,
            number * (image.Width - CropSide) / 8, number * (image.Height - CropSide) / 8), ImageFormat.Png))];
    }

    /// <summary>A photo with a face to be found.</summary>
    public byte[] Photo { get; }

    /// <summary>Small pictures, each taken as a face.</summary>
    public byte[][] Crops { get; }

    /// <summary>The library's answer.</summary>
    public float[][] Answer(byte[] body, string query)
    {
        RgbImage image = SkiaImageCodec.Instance.Decode(body, "picture");
        FaceSelection faces = query.EndsWith("none", StringComparison.Ordinal) ? FaceSelection.None : FaceSelection.All;
        return [.. _library.Recognize([_library.Find(image, "picture", faces)])[0].Faces.Select(face =>
            face.Probabilities.Values.ToArray())];
    }

    /// <summary>Requests that are answered.</summary>
    public LoadRequest[] Valid()
    {
        (string form, byte[] files) = Form([Photo, Crops[1], Crops[2]]);
        RgbImage pixels = SkiaImageCodec.Instance.Decode(Crops[3], "crop");
        string tensor = $$"""
            {"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,{{CropSide}},{{CropSide}},3],
            "data":[{{string.Join(',', pixels.Pixels)}}]}]}
            """;
        return
        [
            new("photo", "v1/predict?faces=all", "image/jpeg", Photo, 200, Answer(Photo, "all")),
            .. Crops.Select((crop, at) => new LoadRequest($"crop {at}", "v1/predict?faces=none", "image/png", crop, 200,
                Answer(crop, "none"))),
            new("three files", "v1/predict?faces=none", form, files, 200, [.. Answer(Photo, "none"),
                .. Answer(Crops[1], "none"), .. Answer(Crops[2], "none")]),
            new("tensor", $"v2/models/{_library.Model.Name}/infer", "application/json", Encoding.UTF8.GetBytes(tensor),
                200, Answer(Crops[3], "none")),
        ];
    }

    /// <summary>Requests that are refused.</summary>
    /// <param name="random">Draws damage.</param>
    public LoadRequest Hostile(Random random)
    {
        const string Predict = "v1/predict?faces=all";
        var noise = new byte[random.Next(1, 5000)];
        random.NextBytes(noise);
        noise[0] = (byte)'x';
        return random.Next(9) switch
        {
            0 => new("text", Predict, "text/plain", "http://127.0.0.1/picture.jpg"u8.ToArray(), 415, null),
            1 => new("nothing", Predict, null, [], 415, null),
            2 => new("noise", Predict, "image/jpeg", noise, 415, null),
            3 => new("cut off", Predict, "image/jpeg", Photo[..random.Next(200, Photo.Length / 2)], 422, null),
            4 => new("pixel bomb", Predict, "image/png", PngHeader(60_000, 60_000), 422, null),
            5 => new("too large", Predict, "image/jpeg", new byte[9 << 20], 413, null),
            6 => new("broken form", Predict, "multipart/form-data; boundary=x", noise, 400, null),
            7 => new("wrong query", "v1/predict?faces=some", "image/jpeg", Photo, 400, null),
            _ => new("wrong tensor", $"v2/models/{_library.Model.Name}/infer", "application/json",
                "{\"inputs\":[{\"name\":\"pixels\",\"shape\":[9,9,9,3],\"datatype\":\"UINT8\",\"data\":[1]}]}"u8
                    .ToArray(), 400, null),
        };
    }

    private static RgbImage Part(RgbImage image, int left, int top)
    {
        var pixels = new byte[3 * CropSide * CropSide];
        for (int row = 0; row < CropSide; row++)
            image.Pixels.AsSpan(3 * ((top + row) * image.Width + left), 3 * CropSide)
                .CopyTo(pixels.AsSpan(3 * row * CropSide));
        return new RgbImage(CropSide, CropSide, pixels);
    }

    private static (string Type, byte[] Body) Form(byte[][] files)
    {
        using var form = new MultipartFormDataContent("cliper-boundary");
        for (int i = 0; i < files.Length; i++)
            form.Add(new ByteArrayContent(files[i]), "file", i.ToString(CultureInfo.InvariantCulture));
        return (form.Headers.ContentType!.ToString(), form.ReadAsByteArrayAsync().GetAwaiter().GetResult());
    }

    /// <summary>The beginning of a PNG that says it has so many pixels.</summary>
    private static byte[] PngHeader(int width, int height)
    {
        byte[] file = [0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10, 0, 0, 0, 13, .. "IHDR"u8, .. new byte[8],
            8, 2, 0, 0, 0, .. new byte[4], 0, 0, 0, 2, .. "IDAT"u8, 0x78, 0x9C, .. new byte[4]];
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(16), width);
        BinaryPrimitives.WriteInt32BigEndian(file.AsSpan(20), height);
        BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(29), Crc(file.AsSpan(12, 17)));
        return file;
    }

    private static uint Crc(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
        }
        return ~crc;
    }
}
