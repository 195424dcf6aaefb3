using System.CommandLine;
using System.Text.Json;
using Cliper.Model.Clip;
using Cliper.Model.Weights;
using Spectre.Console;

namespace Cliper.Cli.Commands;

/// <summary>Describes a file of weights.</summary>
internal sealed class WeightsInspectCommand : CliCommand
{
    private readonly Argument<string> _path = WeightsArguments.Path();

    private readonly WeightsFactsOptions _facts = new();

    private readonly Option<bool> _tensors = new("--tensors")
    {
        Description = "Lists every tensor; without this those of one block stand for all. --json always lists them.",
    };

    public WeightsInspectCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("inspect", "Form, architecture, parameters and tensors of a file of weights, a CLIP's or not.", terminal,
            common, cancellation)
    {
        Add(_path);
        Add(_tensors);
        foreach (Option option in _facts.Options)
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        WeightsInspection inspection = WeightsInspection.Of(WeightsArguments.Find(parsed.GetValue(_path)!),
            _facts.Read(parsed));
        foreach (string warning in inspection.Warnings)
            Terminal.Say(WeightsFactsOptions.Explain(warning));
        if (Terminal.Json)
            Terminal.WriteJson(json => Write(json, inspection));
        else
            Write(inspection, parsed.GetValue(_tensors));
        return ExitCode.Done;
    }

    private void Write(WeightsInspection inspection, bool all)
    {
        Table facts = new Table().Border(TableBorder.None).HideHeaders().AddColumn("what").AddColumn("found");
        Row("file", inspection.Path);
        Row("form", inspection.Format);
        if (inspection.Clip is { } clip)
        {
            Row("architecture", $"{WeightsInspection.NameOf(clip)}, {NamingName(inspection.Naming!.Value)} naming");
            Row("image tower", clip.ResNetBlocks is { } blocks
                ? Format.Invariant($"{clip.ImageSize} pixels, ResNet of width {clip.VisionWidth}, ",
                    $"{blocks} blocks, {clip.VisionHeads} heads of pooling")
                : Format.Invariant(
                    $"{clip.ImageSize} pixels in patches of {clip.PatchSize}, width {clip.VisionWidth}, ",
                    $"{clip.VisionLayers} blocks, {clip.VisionHeads} heads"));
            Row("text tower",
                Format.Invariant(
                $"{clip.VocabularySize} tokens, {clip.ContextLength} positions, width {clip.TextWidth}, ",
                $"{clip.TextLayers} blocks, {clip.TextHeads} heads"));
            Row("features",
                Format.Invariant($"{clip.EmbedSize}, {clip.Activation}, LayerNorm epsilon {clip.LayerNormEpsilon:R}"));
            Row("parameters", Format.Invariant($"{inspection.ClipParameters:N0}"));
        }
        else
        {
            Row("architecture", $"not recognized: {inspection.NotClip}");
            Row("parameters", Format.Invariant($"{inspection.Parameters:N0}"));
        }
        Row("types", string.Join(", ", inspection.Tensors.GroupBy(tensor => tensor.Type).OrderByDescending(group =>
            group.Count())
            .Select(group => $"{group.Key.SafeTensorsName()} ({group.Count()})")));
        Row("tensors", Format.Invariant($"{inspection.Tensors.Count}, {Format.Bytes(inspection.Bytes)}"));
        foreach ((string key, string value) in inspection.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            Row($"metadata {key}", value.Length > MostShown ? $"{value[..MostShown]}… ({value.Length} characters)"
                : value);
        if (inspection.Values.Count > 0)
            Row("other values", Format.Invariant($"{inspection.Values.Count} numbers and texts (--json lists them)"));
        Terminal.Human.Write(facts);

        Table table = new Table().Border(TableBorder.Simple).AddColumns("tensor", "type", "shape");
        foreach (TensorEntry tensor in inspection.Tensors.Where(tensor => all || IsShown(tensor.Name)))
            table.AddRow(Markup.Escape(Shown(tensor.Name)), tensor.Type.SafeTensorsName(),
                Markup.Escape($"[{string.Join(", ", tensor.Shape)}]"));
        Terminal.Human.Write(table);
        if (!all && table.Rows.Count < inspection.Tensors.Count)
            Terminal.Out.WriteLine(
                $"{inspection.Tensors.Count - table.Rows.Count} tensors of further blocks not shown (--tensors shows "
                + "them)");

        void Row(string what, string found) => facts.AddRow(Markup.Escape(what), Markup.Escape(Shown(found)));
    }

    private const int MostShown = 120;

    /// <summary>Whether a tensor lies outside the blocks but the first, which are alike.</summary>
    private static bool IsShown(string name) => !name.Split('.').Any(part => int.TryParse(part, out int block)
        && block > 0);

    /// <summary>A text from a file, without what could move a terminal's cursor.</summary>
    private static string Shown(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));

    internal static string NamingName(ClipNaming naming) => naming == ClipNaming.OpenAI ? "OpenAI's" : "Hugging Face's";

    private static void Write(Utf8JsonWriter json, WeightsInspection inspection)
    {
        json.WriteStartObject();
        json.WriteString("path", inspection.Path);
        json.WriteString("format", inspection.Format);
        if (inspection.Clip is { } clip)
        {
            json.WriteString("architecture", WeightsInspection.NameOf(clip));
            json.WriteString("naming", inspection.Naming == ClipNaming.OpenAI ? "openai" : "huggingface");
            json.WriteNumber("parameters", inspection.ClipParameters!.Value);
            WriteConfig(json, clip);
        }
        else
        {
            json.WriteNull("architecture");
            json.WriteString("reason", inspection.NotClip);
            json.WriteNumber("parameters", inspection.Parameters);
        }
        json.WriteNumber("bytes", inspection.Bytes);
        json.WriteStartObject("types");
        foreach (IGrouping<TensorType, TensorEntry> group in inspection.Tensors.GroupBy(tensor => tensor.Type))
            json.WriteNumber(group.Key.SafeTensorsName(), group.Count());
        json.WriteEndObject();
        WeightsFactsOptions.Write(json, inspection.Warnings);
        Write("metadata", inspection.Metadata);
        Write("values", inspection.Values);
        json.WriteStartArray("tensors");
        foreach (TensorEntry tensor in inspection.Tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteString("type", tensor.Type.SafeTensorsName());
            json.WriteStartArray("shape");
            foreach (long size in tensor.Shape)
                json.WriteNumberValue(size);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();

        void Write(string name, IReadOnlyDictionary<string, string> values)
        {
            json.WriteStartObject(name);
            foreach ((string key, string value) in values)
                json.WriteString(key, value);
            json.WriteEndObject();
        }
    }

    private static void WriteConfig(Utf8JsonWriter json, ClipConfig clip)
    {
        json.WriteStartObject("config");
        foreach ((string name, int value) in new[]
        {
            ("imageSize", clip.ImageSize), ("patchSize", clip.PatchSize), ("visionWidth", clip.VisionWidth),
            ("visionLayers", clip.VisionLayers), ("visionHeads", clip.VisionHeads), ("textWidth", clip.TextWidth),
            ("textLayers", clip.TextLayers), ("textHeads", clip.TextHeads), ("vocabularySize", clip.VocabularySize),
            ("visionMlpWidth", clip.VisionHidden), ("textMlpWidth", clip.TextHidden),
            ("contextLength", clip.ContextLength), ("embedSize", clip.EmbedSize),
        })
            json.WriteNumber(name, value);
        if (clip.ResNetBlocks is { } blocks)
        {
            json.WriteStartArray("resNetBlocks");
            for (int stage = 0; stage < StageBlocks.Stages; stage++)
                json.WriteNumberValue(blocks[stage]);
            json.WriteEndArray();
        }
        json.WriteString("activation", clip.Activation.ToString());
        json.WriteNumber("layerNormEpsilon", clip.LayerNormEpsilon);
        foreach ((string name, ChannelValues values) in new[] { ("mean", clip.Mean), ("std", clip.Std) })
        {
            json.WriteStartArray(name);
            foreach (float value in values.ToArray())
                json.WriteNumberValue(value);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }
}
