using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Settings;

/// <summary>
/// Settings to and from JSON, and settings put over settings: a recipe, then a file, then single values, the later ones
/// winning. What the settings do not know is an error that names the nearest thing they do.
/// </summary>
public static class SettingsJson
{
    private static readonly JsonTypeInfo<TrainSettings> Type = new SettingsContext(new(SettingsContext.Default.Options)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        WriteIndented = true,
        NewLine = "\n",
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    }).TrainSettings;

    /// <summary>Names that settings had in version 0.1, which files and options may still use.</summary>
    private static readonly Dictionary<string, string> FormerNames = new() { ["clipNorm"] = "maxGradientNorm" };

    /// <summary>Every setting, indented, for config.json.</summary>
    public static string Write(TrainSettings settings) => JsonSerializer.Serialize(settings, Type) + "\n";

    /// <summary>Every single setting: its path, such as "stage2.epochs", and its value as JSON.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Flat(TrainSettings settings)
    {
        return [.. Of(ToNode(settings), "")];

        static IEnumerable<KeyValuePair<string, string>> Of(JsonObject all, string prefix) =>
            all.SelectMany(pair => pair.Value is JsonObject inner ? Of(inner, $"{prefix}{pair.Key}.")
                : [KeyValuePair.Create(prefix + pair.Key, pair.Value?.ToJsonString() ?? "")]);
    }

    /// <summary>The settings in a file that <see cref="Write"/> wrote, or a part of them over
    /// <paramref name="defaults"/>.</summary>
    /// <exception cref="SettingsException">The file is missing, no JSON object, or holds something unknown.</exception>
    public static TrainSettings Read(string path, TrainSettings defaults)
    {
        string text;
        try
        {
            text = RegularFile.ReadText(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"cannot read the settings file {path}: {failure.Message}", failure);
        }
        return Parse(text, path, defaults);
    }

    /// <summary>Whether a settings file that <see cref="Read"/> has read names a setting at its outermost
    /// level.</summary>
    internal static bool Names(string path, string setting) => JsonNode.Parse(RegularFile.ReadText(path),
        documentOptions: new JsonDocumentOptions
        {
            CommentHandling = JsonCommentHandling.Skip,
            AllowTrailingCommas = true,
        }) is JsonObject all && all.ContainsKey(setting);

    /// <summary>The settings in <paramref name="text"/> over <paramref name="defaults"/>.</summary>
    /// <param name="text">A JSON object; comments and trailing commas are allowed.</param>
    /// <param name="origin">Names the text in errors.</param>
    /// <param name="defaults">Settings that hold where the text says nothing.</param>
    /// <exception cref="SettingsException">No JSON object, or it holds something unknown.</exception>
    public static TrainSettings Parse(string text, string origin, TrainSettings defaults)
    {
        try
        {
            JsonNode? node = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip,
                AllowTrailingCommas = true,
                AllowDuplicateProperties = false,
            });
            if (node is not JsonObject layer)
                throw new SettingsException($"{origin}: expected a JSON object of settings");
            JsonObject all = ToNode(defaults);
            Overlay(all, layer, "", origin);
            return FromNode(all, origin);
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            // The second of halves of characters.
            throw new SettingsException($"{origin}: not JSON: {JsonInput.Reason(failure)}", failure);
        }
    }

    /// <summary>The settings with single values replaced.</summary>
    /// <param name="settings">Settings that the values replace.</param>
    /// <param name="values">Pairs of a setting's path, such as "stage1.epochs", and its value as text.</param>
    /// <exception cref="SettingsException">A path is unknown, or a value of the wrong kind.</exception>
    public static TrainSettings With(TrainSettings settings, IEnumerable<(string Path, string Value)> values)
    {
        JsonObject all = ToNode(settings);
        foreach ((string path, string value) in values)
        {
            (JsonObject holder, string name) = Find(all, path);
            holder[name] = ToValue(holder[name], path, value);
            FromNode(all, path);
        }
        return FromNode(all, "settings");
    }

    /// <summary>Path of the first single setting in which two differ; null where none does.</summary>
    /// <param name="settings">One.</param>
    /// <param name="others">The other.</param>
    /// <param name="ignored">Settings that may differ.</param>
    public static string? FirstDifference(TrainSettings settings, TrainSettings others,
        IReadOnlyCollection<string> ignored)
    {
        return Differs(ToNode(settings), ToNode(others), "");

        string? Differs(JsonObject one, JsonObject other, string prefix) =>
            one.Where(pair => !ignored.Contains(prefix + pair.Key))
            .Select(pair => pair.Value is JsonObject inner && other[pair.Key] is JsonObject same
                ? Differs(inner, same, $"{prefix}{pair.Key}.")
                : JsonNode.DeepEquals(pair.Value, other[pair.Key]) ? null : prefix + pair.Key)
            .FirstOrDefault(path => path is not null);
    }

    private static JsonObject ToNode(TrainSettings settings) =>
        JsonSerializer.SerializeToNode(settings, Type)!.AsObject();

    private static TrainSettings FromNode(JsonObject all, string origin)
    {
        try
        {
            return all.Deserialize(Type)!;
        }
        catch (JsonException failure)
        {
            string path = (failure.Path ?? "").TrimStart('$', '.');
            JsonNode? found = path.Split('.').Aggregate<string, JsonNode?>(all, (node, name) =>
                (node as JsonObject)?[name]);
            Type? type = TypeOf(path.Split('.'));
            throw new SettingsException(
                $"{(origin == path ? "" : $"{origin}: ")}{path} cannot be {found?.ToJsonString() ?? "null"}; "
                + $"expected {Describe(type)}", failure);
        }
    }

    private static void Overlay(JsonObject target, JsonObject layer, string prefix, string origin)
    {
        foreach ((string given, JsonNode? value) in layer)
        {
            string name = NameOf(target, given);
            if (!target.ContainsKey(name))
                throw new SettingsException($"{origin}: unknown setting {ForeignText.Quote(prefix + name)}" +
                    Suggestion.Hint(name, target.Select(known => known.Key)));
            if (target[name] is JsonObject inner && value is JsonObject innerLayer)
                Overlay(inner, innerLayer, $"{prefix}{name}.", origin);
            else
                target[name] = value?.DeepClone();
        }
    }

    private static (JsonObject Holder, string Name) Find(JsonObject all, string path)
    {
        string[] names = path.Split('.');
        JsonObject holder = all;
        for (int depth = 0; ; depth++)
        {
            names[depth] = NameOf(holder, names[depth]);
            if (!holder.ContainsKey(names[depth]))
                throw new SettingsException($"unknown setting '{path}'" + Suggestion.Hint(path, Paths(all, "")));
            if (depth == names.Length - 1)
                return (holder, names[depth]);
            holder = holder[names[depth]] as JsonObject
                ?? throw new SettingsException(
                    $"unknown setting '{path}': {string.Join('.', names[..(depth + 1)])} is a single value");
        }
    }

    /// <summary>The present name of a setting that is given by a former one; any other name as it is.</summary>
    private static string NameOf(JsonObject holder, string given) =>
        !holder.ContainsKey(given) && FormerNames.TryGetValue(given, out string? name) && holder.ContainsKey(name)
            ? name : given;

    /// <summary>Paths of all single settings.</summary>
    private static IEnumerable<string> Paths(JsonObject all, string prefix) =>
        all.SelectMany(pair => pair.Value is JsonObject inner
        ? Paths(inner, $"{prefix}{pair.Key}.")
        : [prefix + pair.Key]);

    /// <summary>A text stays one where there is a text; anything else has to be JSON.</summary>
    private static JsonNode? ToValue(JsonNode? present, string path, string value)
    {
        if (present is JsonValue && present.GetValueKind() == JsonValueKind.String)
            return JsonValue.Create(value);
        try
        {
            return JsonNode.Parse(value);
        }
        catch (JsonException)
        {
            // The check of the whole says what was expected here.
            return JsonValue.Create(value);
        }
    }

    private static Type? TypeOf(IEnumerable<string> path) =>
        path.Aggregate<string, JsonTypeInfo?>(Type, (holder, name) =>
            holder?.Properties.FirstOrDefault(property => property.Name == name) is { } property
                ? Type.Options.GetTypeInfo(property.PropertyType) : null)?.Type;

    /// <summary>A value of an enumeration as JSON has it.</summary>
    private static string NameOf(Type type, string name) =>
        JsonSerializer.SerializeToNode(Enum.Parse(type, name), Type.Options.GetTypeInfo(type))!.GetValue<string>();

    private static string Describe(Type? type) => type switch
    {
        null => "another kind of value",
        { IsEnum: true } => string.Join(", ", Enum.GetNames(type).Select(name => NameOf(type, name))),
        _ when type == typeof(bool) => "true or false",
        _ when type == typeof(string) => "a text",
        _ when type == typeof(float) || type == typeof(double) => "a number",
        _ when type == typeof(int) || type == typeof(long) || type == typeof(ulong) => "a whole number",
        { IsPrimitive: true } => $"a {type.Name}",
        _ when type == typeof(StageBlocks) => "four whole numbers such as [3,4,6,3]",
        _ when typeof(System.Collections.IEnumerable).IsAssignableFrom(type) => "a list such as [\"one\",\"two\"]",
        _ => "an object",
    };
}
