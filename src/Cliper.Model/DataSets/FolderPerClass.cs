using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// Images in a folder for each class, with or without split folders above. Sub-folders of a class are searched too.
/// </summary>
internal sealed class FolderPerClass : IDataSetFormat
{
    public string Name => "folder";

    public string Layout => "[train|validation|test/]CLASS/*.jpg; without split folders a part is held out";

    public bool Matches(string path, DataSetOptions options) =>
        Directory.Exists(path) && Folders.Of(Folders.Splits(path)?["train"] ?? path)
            .Any(folder => ImagesBelow(folder, options).Any());

    public RawSplits Read(string path, DataSetOptions options) =>
        Folders.Read(path, root => Folders.Classes(root, (folder, name) => Samples(root, folder, name, options)));

    /// <summary>A sample for each image of a class folder.</summary>
    public static IEnumerable<RawSample> Samples(string root, string folder, string className,
        DataSetOptions options) =>
        ImagesBelow(folder, options).Select(file =>
        {
            string name = Path.GetRelativePath(root, file);
            return new RawSample(name, className, [new FileFrame(file)], folder, SubjectOf(name, options));
        });

    private static IEnumerable<string> ImagesBelow(string folder, DataSetOptions options) =>
        Folders.Images(folder, options).Concat(Folders.Of(folder).SelectMany(below => ImagesBelow(below, options)));

    private static string? SubjectOf(string name, DataSetOptions options) =>
        options.Subject?.Match(Path.GetFileNameWithoutExtension(name)) is
        {
            Success: true,
            Groups: [_, var subject, ..]
        } ? subject.Value : null;
}
