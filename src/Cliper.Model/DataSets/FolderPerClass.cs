using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// Images in a folder for each class, with or without split folders above. Sub-folders of a class are searched too.
/// </summary>
internal sealed class FolderPerClass : IDataSetFormat
{
    public string Name => "folder";

    public string Layout => "[train|validation|test/]CLASS/*.jpg; without split folders a part is held out";

    public bool Matches(string path, DataSetOptions options)
    {
        if (!Directory.Exists(path))
            return false;
        string root = Folders.Unwrapped(path);
        return new PictureFolder(root, options.Codec, (_, _) => { }, options.Cancellation) is var reader
            && Folders.Of(Folders.ClassRoot(Folders.Splits(root)?["train"] ?? root))
                .Any(folder => reader.Below(folder).Count > 0);
    }

    public RawSplits Read(string path, DataSetOptions options) =>
        Folders.Read(path, options, root =>
            Folders.Classes(root, (folder, name) => Samples(root, folder, name, options), options));

    /// <summary>A sample for each image of a class folder.</summary>
    public static IEnumerable<RawSample> Samples(string root, string folder, string className,
        DataSetOptions options) =>
        options.Findings.Folder(root, options).Below(folder).Select(file =>
        {
            string name = Path.GetRelativePath(root, file);
            return new RawSample(name, className, [new FileFrame(file)], folder, SubjectOf(name, options));
        });

    private static string? SubjectOf(string name, DataSetOptions options) =>
        options.Subject?.Match(Path.GetFileNameWithoutExtension(name)) is
        {
            Success: true,
            Groups: [_, var subject, ..]
        } ? subject.Value : null;
}
