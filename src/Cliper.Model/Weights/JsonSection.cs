using System.Text.Json;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>An object of a model's configuration file, whose values are read with errors that name file and
/// key.</summary>
/// <param name="Path">The file.</param>
/// <param name="Prefix">Beginning of every key in messages, such as "vision_config.".</param>
/// <param name="Values">The object.</param>
/// <param name="Winning">An object of older files whose values win over those of <paramref name="Values"/>; undefined
/// where there is none.</param>
internal readonly record struct JsonSection(string Path, string Prefix, JsonElement Values,
    JsonElement Winning = default)
{
    /// <summary>The value of a key; false where it is absent or null.</summary>
    public bool Find(string key, out JsonElement value)
    {
        if (Values.ValueKind != JsonValueKind.Object)
            throw new InputException($"{Path}: {Prefix.TrimEnd('.')}: expected an object; get the file anew");
        bool found = (Winning.ValueKind == JsonValueKind.Object && Winning.TryGetProperty(key, out value))
            || Values.TryGetProperty(key, out value);
        return found && value.ValueKind != JsonValueKind.Null;
    }

    /// <summary>The object of a key; an empty one where it is absent.</summary>
    public JsonSection Below(string key, string? winning = null)
    {
        if (!Find(key, out JsonElement values))
            values = JsonElement.Parse("{}");
        JsonElement older = default;
        if (winning is not null)
            Find(winning, out older);
        return new JsonSection(Path, $"{Prefix}{key}.", values, older);
    }

    public string? Text(string key) => !Find(key, out JsonElement value) ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Wrong(key, "text", value.ValueKind.ToString());

    public int? Whole(string key) => !Find(key, out JsonElement value) ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int number) ? number
        // Python's json writes a float that holds a whole number with its point.
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double real)
            && real == Math.Truncate(real) && Math.Abs(real) < int.MaxValue ? (int)real
        : throw Wrong(key, "a whole number", ForeignText.Quote(value.GetRawText()));

    public float? Number(string key) => !Find(key, out JsonElement value) ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetSingle(out float number) ? number
        : throw Wrong(key, "a number", ForeignText.Quote(value.GetRawText()));

    /// <summary>A truth value; false where it is absent.</summary>
    public bool Flag(string key) => Find(key, out JsonElement value) && value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(key, "true or false", ForeignText.Quote(value.GetRawText())),
    };

    public ChannelValues? Channels(string key)
    {
        if (!Find(key, out JsonElement value))
            return null;
        var numbers = new float[3];
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() != numbers.Length)
            throw Wrong(key, "three numbers", ForeignText.Quote(value.GetRawText()));
        for (int i = 0; i < numbers.Length; i++)
            if (value[i].ValueKind != JsonValueKind.Number || !value[i].TryGetSingle(out numbers[i]))
                throw Wrong(key, "three numbers", ForeignText.Quote(value.GetRawText()));
        return new ChannelValues(numbers[0], numbers[1], numbers[2]);
    }

    /// <summary>Compares a size with that of the tensors; one that is not stated agrees.</summary>
    public void Check(string key, int expected)
    {
        if (Whole(key) is { } found && found != expected)
            throw Wrong(key, $"{expected} as the tensors have it", found.ToString());
    }

    /// <summary>Compares the side of a square image, a number or two that are equal.</summary>
    public void CheckSide(string key, int expected)
    {
        if (!Find(key, out JsonElement value) || value.ValueKind != JsonValueKind.Array)
        {
            Check(key, expected);
            return;
        }
        foreach (JsonElement side in value.EnumerateArray())
            if (side.ValueKind != JsonValueKind.Number || !side.TryGetInt32(out int pixels) || pixels != expected)
                throw Wrong(key, $"{expected} as the tensors have it", ForeignText.Quote(value.GetRawText()));
    }

    public InputException Wrong(string key, string expected, string found) =>
        new($"{Path}: {Prefix}{key}: expected {expected}, found {found}; get the weights and their configuration "
            + "from one place");

    /// <summary>The error that a model of this kind is known and not run.</summary>
    public InputException NotRun(string key, string kind) =>
        new($"{Path}: {Prefix}{key}: the model has {kind}, which this program does not run");
}
