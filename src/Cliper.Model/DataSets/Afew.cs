using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// AFEW (Dhall et al.; the EmotiW challenge): its videos in a folder for each class, the aligned faces that come with
/// them, or faces in class folders as the community passes them on. What it validates on is reported: its test labels
/// are not public.
/// </summary>
internal sealed class Afew : IDataSetFormat
{
    private const string TrainFolder = "Train_AFEW", ValidationFolder = "Val_AFEW", CommunityFolder = "AFEW_Face";

    public string Name => "afew";

    public string Layout =>
        "{Train,Val}_AFEW/EXPRESSION/ID.avi, with {Train,Val}_AFEW/AlignedFaces_LBPTOP_Points[_Val]/Faces/ID/*.jpg "
        + "for faces, or AFEW_Face/{train,validation}/EXPRESSION/ID/*.png";

    public bool Matches(string path, DataSetOptions options) => ClipFolders.Root(path, TrainFolder, CommunityFolder)
        != null;

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (ClipFolders.Root(path, TrainFolder, CommunityFolder) is not { } root)
            throw new InputException($"{path}: no AFEW here. Expected {Layout}; found {Folders.Describe(path)}");
        string community = Path.Combine(root, CommunityFolder);
        if (!Directory.Exists(Path.Combine(root, TrainFolder)))
            return new Clips().Read(community, options) with { Notes = [$"AFEW: faces of {CommunityFolder}"] };
        bool hasFaces = Directory.Exists(Faces(TrainFolder)) && Directory.Exists(Faces(ValidationFolder));
        bool faces = options.Choices.ClipFrames switch
        {
            ClipFrames.Auto => hasFaces,
            ClipFrames.Faces => hasFaces ? true : throw new InputException(
                $"{root}: no aligned faces; expected {Faces(TrainFolder)} and {Faces(ValidationFolder)}, or set "
                + "clipFrames to video"),
            ClipFrames.Video => false,
            _ => throw new SettingsException("AFEW has no whole frames; clipFrames can be auto, faces or video"),
        };
        return new RawSplits(ReadSplit(TrainFolder), ReadSplit(ValidationFolder), null)
        {
            Alignment = faces ? FaceAlignment.Aligned : FaceAlignment.WholeImage,
            Notes = [$"AFEW: {(faces ? "aligned faces" : "whole frames of the videos")} (clipFrames), classes by the "
            + "folders of the videos"],
        };

        string Faces(string split) =>
            Path.Combine(root, split, $"AlignedFaces_LBPTOP_Points{(split == ValidationFolder ? "_Val" : "")}",
            "Faces");

        List<RawSample> ReadSplit(string split)
        {
            string folder = Path.Combine(root, split);
            if (!Directory.Exists(folder))
                throw new InputException($"{folder}: no such folder; unpack AFEW's {split} there");
            var samples = new List<RawSample>();
            foreach (string className in Folders.Of(folder).Where(name => Expressions.IsKnown(Path.GetFileName(name))))
            {
                foreach (string video in Directory.EnumerateFiles(className, "*.avi").Order(StringComparer.Ordinal))
                {
                    string id = Path.GetFileNameWithoutExtension(video), label = Path.GetFileName(className);
                    RawSample? sample = faces
                        ? ClipFolders.Sample(id, label, Path.Combine(Faces(split), id), video, options)
                        : ClipFolders.VideoSample(id, label, video, video, options);
                    if (sample != null)
                        samples.Add(sample);
                }
            }
            return samples.Count > 0 ? samples : throw new InputException(
                $"{folder}: no videos; expected a folder for each expression with .avi files, which give the "
                + $"faces their classes; found {Folders.Describe(folder)}");
        }
    }
}
