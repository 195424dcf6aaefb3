using System.Reflection;
using System.Text.Json;
using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Prompts;

namespace Cliper.Model.Reporting;

/// <summary>The document of answers, schema 1: the command predict and the server write it.</summary>
/// <param name="model">The model that answers.</param>
/// <param name="cancellation">Ends the hashing of the model's file.</param>
public sealed class PredictionDocument(AnsweringModel model, CancellationToken cancellation)
{
    /// <summary>Why a picture in which no face was found has no answer.</summary>
    public const string NoFace = "no face found";

    private const int Schema = 1;

    private string? _hash;

    /// <summary>Writes the document.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="warnings">Warnings that were given on the way, a sentence each.</param>
    /// <param name="skipped">Files without an answer, and why.</param>
    /// <param name="results">The answers.</param>
    public void Write(Utf8JsonWriter json, IEnumerable<string> warnings,
        IEnumerable<KeyValuePair<string, string>> skipped, IEnumerable<FileResult> results)
    {
        json.WriteStartObject();
        json.WriteNumber("schema", Schema);
        json.WriteString("version",
            typeof(PredictionDocument).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
            .InformationalVersion);
        WriteModel(json);
        WriteStrings(json, "warnings", warnings);
        WriteSkipped(json, skipped, "skipped");
        json.WriteStartArray("results");
        foreach (FileResult result in results)
            Write(json, result);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("name", model.Name);
        json.WriteString("sha256", _hash ??= FileHash.Sha256(model.Path, cancellation));
        json.WriteString("method", model.Method);
        WriteStrings(json, "classes", model.Names.Classes);
        WriteStrings(json, "notes", model.Notes);
        json.WriteEndObject();
    }

    private void Write(Utf8JsonWriter json, FileResult result)
    {
        json.WriteStartObject();
        json.WriteString("file", result.File);
        if (result.Size is { } size)
        {
            json.WriteNumber("width", size.Width);
            json.WriteNumber("height", size.Height);
        }
        if (result.Frames is { } frames)
            json.WriteNumber("frames", frames);
        if (result.Rate is { } rate)
            json.WriteNumber("rate", rate);
        json.WriteStartArray("faces");
        for (int id = 0; id < result.Faces.Count; id++)
            Write(json, id, result.Faces[id]);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void Write(Utf8JsonWriter json, int id, FaceResult face)
    {
        json.WriteStartObject();
        json.WriteNumber("id", id);
        if (face.Face is { } found)
            Write(json, found);
        else if (face.Video is null or { Seen.Count: 0, FaceShare: > 0 })
            json.WriteNull("box");
        if (face.Video is { } video)
            json.WriteNumber("faceShare", video.FaceShare);
        Write(json, face.Prediction);
        if (face.Windows is { } windows)
        {
            json.WriteStartArray("windows");
            foreach (TimelineRow row in windows)
            {
                json.WriteStartObject();
                json.WriteNumber("start", row.Start);
                json.WriteNumber("end", row.End);
                if (row.Box is { } box)
                    WriteNumbers(json, "box", box.X, box.Y, box.Width, box.Height);
                else
                    json.WriteNull("box");
                json.WriteNumber("faceShare", row.FaceShare);
                Write(json, row.Prediction);
                json.WriteEndObject();
            }
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, Face face)
    {
        PixelBox box = face.Box;
        WriteNumbers(json, "box", box.X, box.Y, box.Width, box.Height);
        json.WriteNumber("score", face.Score);
        if (face.Points.Count == 0)
            return;
        json.WriteStartArray("points");
        foreach (FacePoint point in face.Points)
        {
            json.WriteStartArray();
            json.WriteNumberValue(MathF.Round(point.X, 1));
            json.WriteNumberValue(MathF.Round(point.Y, 1));
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }

    private void Write(Utf8JsonWriter json, Prediction? prediction)
    {
        if (prediction is null)
        {
            json.WriteNull("expression");
            return;
        }
        json.WriteString("expression", model.Names.Of(prediction));
        json.WriteNumber("probability", prediction.Probabilities[prediction.Class]);
        json.WriteStartObject("probabilities");
        foreach ((string name, float probability) in model.Names.Classes.Zip(prediction.Probabilities))
            json.WriteNumber(name, probability);
        json.WriteEndObject();
        json.WriteNumber("descriptor", prediction.Subclass);
    }

    /// <summary>A member of a document that has every file without an answer, with the reason.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="skipped">The files and the reasons.</param>
    /// <param name="member">Name of the member.</param>
    public static void WriteSkipped(Utf8JsonWriter json, IEnumerable<KeyValuePair<string, string>> skipped,
        string member)
    {
        json.WriteStartArray(member);
        foreach ((string file, string reason) in skipped.OrderBy(entry => entry.Key, StringComparer.Ordinal))
        {
            json.WriteStartObject();
            json.WriteString("file", file);
            json.WriteString("reason", reason);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, params ReadOnlySpan<int> values)
    {
        json.WriteStartArray(name);
        foreach (int value in values)
            json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static void WriteStrings(Utf8JsonWriter json, string name, IEnumerable<string> values)
    {
        json.WriteStartArray(name);
        foreach (string value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }
}
