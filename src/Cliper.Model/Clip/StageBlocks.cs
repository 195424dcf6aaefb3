using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Cliper.Model.Clip;

/// <summary>How many bottleneck blocks each of a ResNet's four stages has. In JSON four numbers,
/// [3, 4, 6, 3].</summary>
/// <param name="First">Blocks at a quarter of the image's size.</param>
/// <param name="Second">Blocks at an eighth of it.</param>
/// <param name="Third">Blocks at a 16th of it.</param>
/// <param name="Fourth">Blocks at a 32nd of it.</param>
[JsonConverter(typeof(StageBlocksConverter))]
public readonly record struct StageBlocks(int First, int Second, int Third, int Fourth)
{
    /// <summary>Number of stages.</summary>
    public const int Stages = 4;

    /// <summary>Blocks of a stage, counted from 0.</summary>
    public int this[int stage] => stage switch
    {
        0 => First,
        1 => Second,
        2 => Third,
        3 => Fourth,
        _ => throw new ArgumentOutOfRangeException(nameof(stage), stage, $"a ResNet has {Stages} stages"),
    };

    /// <summary>Blocks of all stages.</summary>
    public int Total => checked(First + Second + Third + Fourth);

    /// <inheritdoc/>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{First}-{Second}-{Third}-{Fourth}");
}

/// <summary>Reads and writes <see cref="StageBlocks"/> as an array of four numbers.</summary>
internal sealed class StageBlocksConverter : JsonConverter<StageBlocks>
{
    public override StageBlocks Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        Span<int> blocks = stackalloc int[StageBlocks.Stages];
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException();
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            if (!reader.Read() || reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out blocks[stage]))
                throw new JsonException();
        if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray)
            throw new JsonException();
        return new StageBlocks(blocks[0], blocks[1], blocks[2], blocks[3]);
    }

    public override void Write(Utf8JsonWriter writer, StageBlocks value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            writer.WriteNumberValue(value[stage]);
        writer.WriteEndArray();
    }
}
