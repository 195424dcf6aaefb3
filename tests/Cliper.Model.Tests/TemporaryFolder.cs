namespace Cliper.Model.Tests;

/// <summary>Gives each test a folder of its own that ends with it.</summary>
public abstract class TemporaryFolder
{
    protected string Folder { get; private set; } = "";

    /// <summary>Where the folders are made.</summary>
    protected virtual string Parent => Path.GetTempPath();

    [SetUp]
    public void MakeFolder() => Folder =
        Directory.CreateDirectory(Path.Combine(Parent, $"cliper-{Guid.NewGuid():N}")).FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(Folder, recursive: true);

    /// <summary>A path in the folder.</summary>
    protected string In(string name) => Path.Combine(Folder, name);
}
