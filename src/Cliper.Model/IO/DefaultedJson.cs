using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;

namespace Cliper.Model.IO;

/// <summary>
/// Reads records of which JSON may leave properties out. Code that the JSON generator writes sets all that can only be
/// set by an initializer, and gives what JSON leaves out the default of its type instead of the record's own default;
/// so the record's defaults are put into the JSON first.
/// </summary>
internal static class DefaultedJson
{
    /// <summary>Reads a record.</summary>
    /// <param name="text">The JSON.</param>
    /// <param name="type">How the record is written.</param>
    /// <param name="defaults">Values of the properties that the JSON may leave out.</param>
    /// <exception cref="JsonException">The text is not such a record.</exception>
    /// <exception cref="ArgumentException">An object names a property twice.</exception>
    public static T Read<T>(string text, JsonTypeInfo<T> type, T defaults) where T : class
    {
        JsonNode? node = JsonNode.Parse(text);
        if (node is JsonObject given)
            foreach (JsonPropertyInfo property in type.Properties)
                if (property is { IsRequired: false, AssociatedParameter: not null }
                    && property.Get?.Invoke(defaults) is { } value
                    && !given.ContainsKey(property.Name))
                    given[property.Name] = JsonSerializer.SerializeToNode(value,
                        type.Options.GetTypeInfo(property.PropertyType));
        return node?.Deserialize(type) ?? throw new JsonException("null");
    }
}
