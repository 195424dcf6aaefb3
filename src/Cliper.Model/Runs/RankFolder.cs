using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Kernels.Collectives;
using Cliper.Model.IO;

namespace Cliper.Model.Runs;

/// <summary>
/// The folder in which a rank keeps a run. Rank 0 keeps it where the user has asked for it. Every other rank does the
/// same work in a temporary folder of its own, which begins with what rank 0 goes on from and is removed at the end: it
/// needs no disk that the machines share.
/// </summary>
public sealed class RankFolder : IDisposable
{
    private const int PieceSize = 1 << 26;

    private static readonly string[] Names = ["config.json", "config.next.json", "metrics.jsonl", "result.json"];

    private readonly string? _temporary;

    private RankFolder(string path, string? temporary) => (Path, _temporary) = (path, temporary);

    /// <summary>The folder.</summary>
    public string Path { get; }

    /// <summary>Makes a rank's folder; all ranks call it.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="folder">Where rank 0 keeps the run.</param>
    /// <param name="resume">Whether the run that is there goes on.</param>
    public static RankFolder Open(RankGroup ranks, string folder, bool resume)
    {
        if (ranks.Size == 1)
            return new RankFolder(folder, null);
        string? temporary = ranks.IsFirst ? null : Directory.CreateTempSubdirectory("cliper-rank-").FullName;
        var own = new RankFolder(temporary ?? folder, temporary);
        if (resume)
            own.Take(ranks);
        return own;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_temporary is not null && Directory.Exists(_temporary))
            Directory.Delete(_temporary, recursive: true);
    }

    private void Take(RankGroup ranks)
    {
        string[] found = ranks.IsFirst ? [.. Kept(Path)] : [];
        RankFile[] files = [.. found.Select(file => new RankFile(file, new FileInfo(In(file)).Length))];
        byte[] list = ranks.Broadcast(JsonSerializer.SerializeToUtf8Bytes(files, RankJson.Default.RankFileArray));
        foreach (RankFile file in JsonSerializer.Deserialize(list, RankJson.Default.RankFileArray)!)
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(In(file.Name))!);
            using FileStream stream = ranks.IsFirst ? File.OpenRead(In(file.Name)) : File.Create(In(file.Name));
            for (long at = 0; at < file.Size; at += PieceSize)
            {
                var piece = new byte[ranks.IsFirst ? (int)Math.Min(PieceSize, file.Size - at) : 0];
                stream.ReadExactly(piece);
                piece = ranks.Broadcast(piece);
                if (!ranks.IsFirst)
                    stream.Write(piece);
            }
        }
    }

    // A run goes on from these files, and one of folds from those of each.
    private static IEnumerable<string> Kept(string folder)
    {
        if (!Directory.Exists(folder))
            return [];
        string[] runs = [folder, .. Directory.GetDirectories(folder, "fold*")];
        return runs.SelectMany(run => Names.Select(name => System.IO.Path.Combine(run, name)).Where(File.Exists)
                .Concat(CheckpointFiles.FilesIn(run)))
            .Select(file => System.IO.Path.GetRelativePath(folder, file).Replace('\\', '/'));
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);
}

/// <summary>A file that rank 0 gives to the others.</summary>
/// <param name="Name">Its path within the folder.</param>
/// <param name="Size">Bytes.</param>
internal sealed record RankFile(string Name, long Size);

/// <summary>The generated code for the JSON of a list of files.</summary>
[JsonSerializable(typeof(RankFile[]))]
internal sealed partial class RankJson : JsonSerializerContext;
