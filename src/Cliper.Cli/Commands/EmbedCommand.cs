using System.CommandLine;
using System.Text;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Cli.Commands;

/// <summary>Writes the features that a CLIP gives images and texts into a safetensors file.</summary>
internal sealed class EmbedCommand : CliCommand
{
    private readonly Option<string> _weights = new("--weights")
    {
        Description =
            "CLIP weights: a file in any form that 'weights inspect' reads, a Hugging Face folder, a model's name in "
            + "its local cache, a run, or a shipped model, whose CLIP is meant.",
        HelpName = "PATH|NAME",
        Required = true,
    };

    private readonly WeightsFactsOptions _facts = new();

    private readonly Option<string?> _tokenizer = new("--tokenizer")
    {
        Description = "Tokenizer file or folder; without it, what lies beside the weights.",
        HelpName = "PATH",
    };

    private readonly Option<string[]> _images = new("--images")
    {
        Description = "Pictures and folders of pictures; rows are sorted by path.",
        HelpName = "PATH",
        AllowMultipleArgumentsPerToken = true,
    };

    private readonly Option<string?> _texts = new("--texts")
    {
        Description = "File with a text a line, in UTF-8; an empty line is an empty text.",
        HelpName = "FILE",
    };

    private readonly Option<string> _out = new("--out")
    {
        Description =
            "The file to write: image_features [N, D], text_features [P, D], logits_per_image [N, P]; fp32, not "
            + "normalized.",
        HelpName = "FILE",
        Required = true,
    };

    private readonly StrictOption _strict = new();

    public EmbedCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("embed", "A CLIP's features of pictures and texts, in a safetensors file.", terminal, common,
            cancellation)
    {
        foreach (Option option in (Option[])[_weights, .. _facts.Options, _tokenizer, _images, _texts, _out, _strict])
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        string[] images = parsed.GetValue(_images) ?? [];
        string? textFile = parsed.GetValue(_texts);
        if (images.Length == 0 && textFile is null)
            throw new SettingsException("nothing to embed: give --images, --texts, or both");
        var leftOut = new Dictionary<string, string>();
        IReadOnlyList<Sample> samples = ImageFiles.Pictures(images, leftOut.Add);
        IReadOnlyList<string> texts = textFile is null ? [] : ReadTexts(textFile);
        string path = parsed.GetValue(_out)!;
        var roles = new FileRoles();
        roles.Read(textFile, _texts.Name);
        roles.Read(parsed.GetValue(_weights), _weights.Name);
        roles.Read(parsed.GetValue(_tokenizer), _tokenizer.Name);
        foreach (Sample sample in samples)
            roles.Read(sample.Name, _images.Name);
        roles.Write(path, _out.Name);
        AtomicFile.Check(path);
        using Device device = Common.OpenDevice(parsed);
        using var embedder = new Embedder(device, parsed.GetValue(_weights)!, _facts.Read(parsed));
        string[] warnings = [.. embedder.Warnings.Select(WeightsFactsOptions.Explain)];
        foreach (string warning in warnings)
            Terminal.Say(warning);
        EmbeddingSummary summary = embedder.Write(path, samples, texts, textFile ?? "", parsed.GetValue(_tokenizer),
            parsed.GetValue(_strict), Cancellation);
        SkippedPictures.SayLeftOut(Terminal, leftOut);
        SkippedPictures.Say(Terminal, summary.Skipped);
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("out", path);
                json.WriteNumber("images", summary.Images.Count);
                json.WriteNumber("texts", summary.Texts.Count);
                json.WriteNumber("dimension", summary.Dimension);
                json.WriteNumber("skipped", summary.Skipped.Count);
                SkippedPictures.Write(json, summary.Skipped);
                json.WriteStartArray("leftOut");
                foreach ((string file, string reason) in leftOut)
                {
                    json.WriteStartObject();
                    json.WriteString("file", file);
                    json.WriteString("reason", reason);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                WeightsFactsOptions.Write(json, warnings);
                json.WriteEndObject();
            });
        else
            Terminal.Out.WriteLine(
                $"{path}: {summary.Images.Count} pictures and {summary.Texts.Count} texts, {summary.Dimension} "
                + "numbers each");
        return ExitCode.Done;
    }

    private static string[] ReadTexts(string path)
    {
        string[] lines;
        RegularFile.Require(path);
        try
        {
            lines = File.ReadAllLines(path, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false,
                throwOnInvalidBytes: true));
        }
        catch (DecoderFallbackException failure)
        {
            throw new InputException(
                $"{path}: the file of texts is not UTF-8 ({failure.Message.TrimEnd('.')}); save it as UTF-8", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the file of texts cannot be read ({failure.Message})", failure);
        }
        return lines.Length > 0 ? lines
            : throw new InputException($"{path}: the file of texts is empty; expected a text a line");
    }
}
