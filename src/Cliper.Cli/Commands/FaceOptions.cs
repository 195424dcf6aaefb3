using System.CommandLine;
using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model;
using Cliper.Model.Checkpoints;
using Cliper.Model.Faces;
using Cliper.Model.Samples;

namespace Cliper.Cli.Commands;

/// <summary>The options that say which parts of a picture are faces.</summary>
internal sealed class FaceOptions
{
    private const string All = "all", Largest = "largest", None = "none", CsvExtension = ".csv";

    private readonly Option<string?> _faces = new("--faces")
    {
        Description =
            "Which faces of a picture are answered: all, largest, none (every picture is a face already), or those of "
            + "a table with the columns file,x,y,width,height. Without it all; of a model of drawn faces or of whole "
            + "pictures, "
            + "none.",
        HelpName = "all|largest|none|FILE.csv",
    };

    private readonly Option<string?> _detector = new("--face-detector")
    {
        Description =
            "Looks for faces with this cascade of OpenCV (haarcascade_*.xml) instead of the program's own network.",
        HelpName = "FILE",
    };

    // From before --faces.
    private readonly Option<string?> _box = new("--face-box")
    {
        Description =
            "Where the face is in every picture, in pixels from the upper left; the margin that the model was "
            + "trained with is added.",
        HelpName = "X,Y,W,H",
        Hidden = true,
    };

    /// <summary>The options.</summary>
    public IReadOnlyList<Option> Options => [_faces, _detector, _box];

    /// <summary>The options whose values may be files that are read.</summary>
    public IReadOnlyList<Option<string?>> Files => [_faces, _detector];

    /// <summary>The choice that was asked for, files read.</summary>
    /// <exception cref="SettingsException">Two of the options exclude each other, or a value is none.</exception>
    /// <exception cref="InputException">A cascade or a table cannot be read.</exception>
    public FaceRequest Read(ParseResult parsed)
    {
        string? faces = parsed.GetValue(_faces), detector = parsed.GetValue(_detector), box = parsed.GetValue(_box);
        if (detector == None)
            (detector, faces) = (null, faces is null or None ? None
                : throw Exclude("--face-detector none", $"--faces {faces}"));
        if (box is not null && (detector is not null || faces is not (null or None)))
            throw Exclude("--face-box", detector is not null ? "--face-detector" : "--faces");
        bool isTable = faces is not (null or All or Largest or None);
        if (isTable && !faces!.EndsWith(CsvExtension, StringComparison.OrdinalIgnoreCase))
            throw new SettingsException(
                $"--faces is '{faces}'; expected {All}, {Largest}, {None} or a {CsvExtension} file");
        if (detector is not null && (isTable || faces == None))
            throw Exclude("--face-detector", $"--faces {faces}");
        return new FaceRequest(faces, box is null ? null : ReadBox(box), isTable ? FaceTable.Load(faces!) : null,
            detector is null ? null : CascadeDetector.Load(detector), detector);
    }

    private static SettingsException Exclude(string one, string other) =>
        new($"{one} and {other} exclude each other: give one of them");

    private static PixelBox ReadBox(string text)
    {
        int[] values = [.. text.Split(',').Select(part =>
            int.TryParse(part, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out int value) ? value : -1)];
        return values is [>= 0, >= 0, > 0, > 0] ? new PixelBox(values[0], values[1], values[2], values[3])
            : throw new SettingsException(
            $"--face-box is '{text}'; expected X,Y,W,H in whole pixels, such as 120,40,200,200");
    }

    /// <summary>The choice that was asked for.</summary>
    /// <param name="Faces">The value of --faces; null without it.</param>
    /// <param name="Box">The box of every picture; null for none.</param>
    /// <param name="Table">Boxes of pictures; null for none.</param>
    /// <param name="Cascade">The cascade that was named; null for none.</param>
    /// <param name="CascadeFile">Its file.</param>
    internal sealed record FaceRequest(string? Faces, PixelBox? Box, FaceTable? Table, CascadeDetector? Cascade,
        string? CascadeFile)
    {
        /// <summary>The choice as the library takes it.</summary>
        public RecognizerOptions ForRecognizer() => new()
        {
            Faces = Faces switch
            {
                All => FaceSelection.All,
                Largest => FaceSelection.Largest,
                None when Box is null => FaceSelection.None,
                _ => Cascade is null ? null : FaceSelection.All,
            },
            FaceDetector = Cascade,
            FaceTable = Table,
            FaceBox = Box,
        };

        /// <summary>Which part of a picture the model looks at, which is said.</summary>
        /// <param name="model">The description that the model has of itself.</param>
        /// <param name="knowsCropsAlone">Whether the model has learned from pictures that a detector finds no faces
        /// in.</param>
        /// <param name="network">Makes the program's own detector, which the caller ends.</param>
        /// <param name="say">Given a line for the person.</param>
        public FaceCrop CropFor(CheckpointInfo model, bool knowsCropsAlone, Func<BlazeFace> network, Action<string> say)
        {
            var framing = new FaceFraming(model.FaceTemplate, model.FaceMargin);
            if (framing.Template is null && model.Alignment == FaceAlignment.Aligned)
                say("the model has learned from faces that were aligned, upright and tightly cut out, and nobody "
                    + "measured where they lie: faces are cut out here, not turned, and it knows them less well");
            if (Box is { } box)
                return FaceCrop.Given(box, framing);
            if (Table is not null)
                return FaceCrop.Listed(Table, framing);
            bool isChosen = Cascade is not null || Faces is not null;
            if (!isChosen && model.Alignment == FaceAlignment.WholeImage)
            {
                say("the model has learned from whole pictures: no face is looked for, of each the center is taken");
                return FaceCrop.None;
            }
            if (Faces == None || !isChosen && knowsCropsAlone)
            {
                say("no face is looked for: of each picture the center is taken; --faces all looks for faces");
                return FaceCrop.None;
            }
            if (Cascade is not null)
                say($"faces are looked for with {CascadeFile} (--faces none takes the center of each picture)");
            return FaceCrop.Sought(Cascade is not null ? Cascade : network(), framing, Faces == Largest);
        }
    }
}
