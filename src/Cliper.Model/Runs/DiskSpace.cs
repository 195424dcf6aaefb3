using System.Globalization;
using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Settings;
using Cliper.Model.Weights;

namespace Cliper.Model.Runs;

/// <summary>Whether the disk has room for a run's checkpoints, told before the work and not at the first of
/// them.</summary>
internal static class DiskSpace
{
    private const long BytesOfNumber = 4;

    // AdamW keeps two moments of each weight that it trains.
    private const long Moments = 2;

    /// <summary>
    /// The most that a run's checkpoints take at once, in bytes, in fp32: last.safetensors with the optimizer's state,
    /// twice while a new one is written; the model; and the best one, twice as well, where an epoch is selected. The
    /// prompts' vectors are few beside the towers.
    /// </summary>
    /// <param name="config">The CLIP.</param>
    /// <param name="settings">Settings of the run.</param>
    public static long NeededFor(ClipConfig config, TrainSettings settings)
    {
        long all = 0, vision = 0;
        foreach ((string name, Autograd.Shape shape) in ClipTensors.List(config))
        {
            all += shape.Count;
            vision += ClipModel.IsVision(name) ? shape.Count : 0;
        }
        long trained = settings.Pretrain.Epochs > 0 ? all : settings.Stage2.Epochs > 0 ? vision : 0;
        bool averages = settings.Pretrain.AverageDecay > 0 || settings.Stage2.AverageDecay > 0;
        long last = all + (Moments + (averages ? 1 : 0)) * trained;
        int models = settings.Select == Selection.Last ? 1 : 3;
        return BytesOfNumber * (2 * last + models * all);
    }

    /// <summary>Checks a run's folder.</summary>
    /// <param name="folder">The folder, which is there.</param>
    /// <param name="needed">Bytes that the run will take.</param>
    /// <exception cref="IOException">There is less.</exception>
    public static void Check(string folder, long needed)
    {
        long free;
        try
        {
            free = new DriveInfo(Path.GetFullPath(folder)).AvailableFreeSpace;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Some file systems tell nothing; the first checkpoint then finds out.
            return;
        }
        var checkpoints = new DirectoryInfo(Path.Combine(folder, CheckpointFiles.FolderName));
        long replaced = checkpoints.Exists ? checkpoints.EnumerateFiles("*.safetensors").Sum(file => file.Length) : 0;
        Compare(folder, needed, free + replaced);
    }

    /// <summary>Compares what a folder has with what is needed of it, both in bytes.</summary>
    internal static void Compare(string folder, long needed, long available)
    {
        if (available < needed)
            throw new IOException($"{folder}: {Gibibytes(available)} GiB are free, and the run's checkpoints take up "
                + $"to {Gibibytes(needed)} GiB: make room, or choose another folder");

        static string Gibibytes(long bytes) =>
            (bytes / (double)(1L << 30)).ToString("F2", CultureInfo.InvariantCulture);
    }
}
