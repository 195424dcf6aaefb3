using Cliper.Kernels.Memory;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Tests.Data;

namespace Cliper.Model.Tests.Runs;

/// <summary>A run of three phases on 12 pictures of noise, over in a fraction of a second.</summary>
internal static class TinyRun
{
    /// <summary>Writes its pictures.</summary>
    /// <param name="folder">Folder of the data.</param>
    public static void WriteData(string folder)
    {
        for (int index = 0; index < 12; index++)
            foreach (string split in new[] { "train", "test" })
                TestImages.Write(Path.Combine(folder, split, index % 2 == 0 ? "happy" : "sad", $"{index}.png"),
                    TestImages.Make(index + (split == "test" ? 50 : 0)));
    }

    /// <summary>Its settings: three steps an epoch.</summary>
    /// <param name="data">Folder of the data.</param>
    /// <param name="seed">Seed of the run.</param>
    public static TrainSettings Settings(string data, ulong seed = 1)
    {
        var phase = new StageSettings { Epochs = 2, BatchSize = 4, LearningRate = 1e-2f };
        return new TrainSettings
        {
            Data = data,
            DataSet = "folder",
            DropDuplicates = false,
            Select = Selection.BestOnTest,
            Seed = seed,
            Subclasses = 2,
            Tokens = 2,
            Shape = new ClipShape
            {
                ImageSize = 16,
                PatchSize = 8,
                VisionWidth = 64,
                VisionLayers = 1,
                TextWidth = 64,
                TextLayers = 1,
                EmbedSize = 16,
            },
            Pretrain = phase,
            Stage1 = phase with { Epochs = 1 },
            Stage2 = phase with { Epochs = 1 },
        };
    }

    /// <summary>Runs it.</summary>
    public static void Go(Device device, TrainSettings settings, string run, bool resume = false,
        bool overwrite = false, Action<TrainEvent>? told = null, CancellationToken cancellation = default) =>
        TrainingRun.Run(device, settings, run, resume, overwrite, new Progress(told), cancellation).Model.Dispose();

    /// <summary>Told at once, on the thread that reports.</summary>
    private sealed class Progress(Action<TrainEvent>? told) : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value) => told?.Invoke(value);
    }
}
