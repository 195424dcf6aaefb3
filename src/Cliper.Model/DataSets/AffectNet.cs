using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// AffectNet (Mollahosseini et al. 2017), manually annotated: the original lists with images in numbered folders, or
/// the 2021 release with a .npy file an image. Seven or eight expressions; "none", "uncertain" and "no face" are left
/// out. Its validation split is what papers report on; test labels are not public.
/// </summary>
internal sealed class AffectNet : IDataSetFormat
{
    private const string Lists = "Manually_Annotated_file_lists";
    private const string TrainSet = "train_set", ValidationSet = "val_set";
    private const int Contempt = 7, LastLabel = 10;

    private static readonly string[] Labels =
        ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"];

    private static readonly string[] ImageFolders =
        ["Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated"];

    private static readonly string[] Columns =
    [
        "subdirectory_filepath", "face_x", "face_y", "face_width", "face_height", "facial_landmarks",
        "expression", "valence",
        "arousal",
    ];

    public string Name => "affectnet";

    public string Layout =>
        "Manually_Annotated_file_lists/{training,validation}.csv with Manually_Annotated_Images/…, or "
        + "{train,val}_set/{images/ID.jpg,annotations/ID_exp.npy}";

    public bool Matches(string path, DataSetOptions options) =>
        ClipFolders.Root(path, Lists) != null || ClipFolders.Root(path, TrainSet) is { } root && HasAnnotations(root);

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (options.Choices.AffectNetClasses is not (7 or 8))
            throw new SettingsException($"affectNetClasses is 7 or 8, given was {options.Choices.AffectNetClasses}");
        if (ClipFolders.Root(path, Lists) is { } original)
            return ReadOriginal(original, options);
        if (ClipFolders.Root(path, TrainSet) is { } release && HasAnnotations(release))
            return ReadRelease(release, options);
        throw new InputException($"{path}: no AffectNet here. Expected {Layout}; found {Folders.Describe(path)}");
    }

    private static bool HasAnnotations(string root) => Directory.Exists(Path.Combine(root, TrainSet, "annotations"));

    private static string ClassNote(DataSetOptions options) =>
        $"{options.Choices.AffectNetClasses} classes "
        + $"(affectNetClasses){(options.Choices.AffectNetClasses == 7 ? ", contempt left out" : "")}";

    private static RawSplits ReadOriginal(string root, DataSetOptions options)
    {
        string folder = ImageFolders.Select(name => Path.Combine(root, name)).FirstOrDefault(Directory.Exists)
            ?? throw new InputException(
                $"{root}: no pictures beside the lists; expected {string.Join(" or ", ImageFolders)}, found "
                + $"{Folders.Describe(root)}");
        bool cut = options.Choices.AffectNetFaceBox;
        float margin = options.Choices.FaceMargin;
        string cuts = cut ? $"are cut to the face box and a margin of {margin:0.##} (faceMargin)"
            : "as they are, not cut to the face box";
        return new RawSplits(ReadList("training.csv"), ReadList("validation.csv"), null)
        {
            Alignment = FaceAlignment.Cropped,
            Notes =
            [
                $"AffectNet, original lists: {ClassNote(options)}; rows without an expression or without a "
                    + $"face are left out; pictures {cuts} (affectNetFaceBox)",
            ],
        };

        List<RawSample> ReadList(string file)
        {
            string list = Path.Combine(root, Lists, file);
            if (!File.Exists(list))
                throw new InputException($"{list}: no such file; get AffectNet's lists");
            using var reader = new ListReader(list, options);
            var samples = new List<RawSample>();
            foreach (Row row in Parse(reader, list, options.Choices.AffectNetClasses))
            {
                string image = Path.Combine(folder, row.File);
                if (!File.Exists(image))
                {
                    options.ReportMissing(
                        $"{list}:{row.Line}: {image} does not exist; unpack the pictures again, or remove the line");
                    continue;
                }
                Frame frame = new FileFrame(image);
                samples.Add(new RawSample(row.File, row.Class, [cut ? new CutFrame(frame, row.Face.Widened(margin))
                    : frame], $"{list}:{row.Line}"));
            }
            return samples;
        }
    }

    /// <summary>A row that has an expression and a face.</summary>
    internal readonly record struct Row(int Line, string File, PixelBox Face, string Class);

    /// <summary>The rows with one of the wanted expressions; some copies of a list come without the header.</summary>
    internal static IEnumerable<Row> Parse(TextReader reader, string name, int classes)
    {
        List<string> columns = [.. Columns];
        var seen = new Dictionary<string, int>();
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            if (string.IsNullOrWhiteSpace(text))
                continue;
            string where = $"{name}:{line}";
            List<string> fields = Csv.Fields(text, where);
            if (line == 1 && fields.Contains("expression", StringComparer.OrdinalIgnoreCase))
            {
                columns = [.. fields.Select(field => field.ToLowerInvariant())];
                if (Columns.FirstOrDefault(column => Array.IndexOf(Columns, column) < 7 && column != "facial_landmarks"
                    && !columns.Contains(column)) is { } lacking)
                    throw new InputException(
                    $"{where}: the column {lacking} is missing; the file is no list of AffectNet");
                continue;
            }
            if (fields.Count != columns.Count)
                throw new InputException($"{where}: {fields.Count} columns, expected {columns.Count}");
            string file = fields[columns.IndexOf("subdirectory_filepath")];
            if (!TryNumber(fields[columns.IndexOf("expression")], out int label) || label is < 0 or > LastLabel)
                throw new InputException(
                    $"{where}: unknown expression '{ForeignText.Short(fields[columns.IndexOf("expression")])}', "
                    + $"expected 0 to {LastLabel}");
            int[] face = [.. Columns[1..5].Select(column =>
                TryNumber(fields[columns.IndexOf(column)], out int value) ? value : -1)];
            if (!IsWanted(label, classes) || face[2] <= 0 || face[3] <= 0)
                continue;
            if (file.Length == 0 || Path.IsPathRooted(file) || file.Split('/', '\\').Contains(".."))
                throw new InputException(
                    $"{where}: '{ForeignText.Short(file)}', expected a picture's path below the folder of pictures");
            if (!seen.TryAdd(file, line))
                throw new InputException($"{where}: {ForeignText.Short(file)} was already listed in line {seen[file]}");
            yield return new Row(line, file, new PixelBox(face[0], face[1], face[2], face[3]), Labels[label]);
        }
    }

    private static RawSplits ReadRelease(string root, DataSetOptions options)
    {
        int others = 0;
        return new RawSplits(ReadSet(TrainSet), ReadSet(ValidationSet), null)
        {
            Alignment = FaceAlignment.Cropped,
            Notes = [$"AffectNet, release of 2021: {ClassNote(options)}" + (others > 0
            ? $"; {others} pictures of other labels left out" : "")],
        };

        List<RawSample> ReadSet(string set)
        {
            string images = Path.Combine(root, set, "images"), annotations = Path.Combine(root, set, "annotations");
            if (!Directory.Exists(images) || !Directory.Exists(annotations))
                throw new InputException($"{Path.Combine(root, set)}: expected images/ and annotations/ in it, found "
                    + (Directory.Exists(Path.Combine(root, set)) ? Folders.Describe(Path.Combine(root, set))
                    : "no such folder"));
            var samples = new List<RawSample>();
            foreach (string image in Folders.Images(images, options))
            {
                options.Cancellation.ThrowIfCancellationRequested();
                string name = Path.GetFileName(image);
                string label = Path.Combine(annotations, $"{Path.GetFileNameWithoutExtension(name)}_exp.npy");
                if (!File.Exists(label))
                {
                    options.ReportMissing($"{label} does not exist; unpack the annotations again, or remove {image}");
                    continue;
                }
                double number = Npy.ReadNumber(label);
                if (number is < 0 or > LastLabel || number != Math.Truncate(number))
                    throw new InputException($"{label}: unknown expression {number}, expected 0 to {LastLabel}");
                if (!IsWanted((int)number, options.Choices.AffectNetClasses))
                    others++;
                else
                    samples.Add(new RawSample($"{set}/{name}", Labels[(int)number], [new FileFrame(image)], label));
            }
            return samples;
        }
    }

    private static bool IsWanted(int label, int classes) => label < Contempt || label == Contempt && classes == 8;

    /// <summary>Whole numbers, as some copies write them: 3 or 3.0.</summary>
    private static bool TryNumber(string text, out int number)
    {
        bool isNumber = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && value == Math.Truncate(value) && Math.Abs(value) <= int.MaxValue / 2;
        number = isNumber ? (int)value : 0;
        return isNumber;
    }
}
