using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Settings;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Stages;

/// <summary>The model that a run begins with: of a checkpoint, of CLIP weights, or of random numbers.</summary>
/// <param name="device">Device of the model.</param>
/// <param name="settings">Settings of the run.</param>
/// <param name="data">Data of the run: its classes, and its captions for a vocabulary.</param>
/// <param name="progress">Receives a message when a checkpoint is used.</param>
internal sealed class StartingModel(Device device, TrainSettings settings, TrainingData data,
    IProgress<TrainEvent> progress)
{
    private string? Tokenizer => settings.Tokenizer.Length > 0 ? settings.Tokenizer : null;

    /// <summary>Makes the model, which is the caller's, and its tokenizer.</summary>
    /// <exception cref="InputException">Weights or checkpoint are missing, damaged, or of other classes.</exception>
    /// <exception cref="SettingsException">The settings do not fit the checkpoint.</exception>
    public (CliperModel Model, ClipTokenizer Tokenizer) Create()
    {
        if (settings.Init.Length > 0)
            return OfCheckpoint(Checkpoint.Find(settings.Init));
        if (settings.Weights.Length > 0)
        {
            using ClipWeights loaded = ClipWeights.Load(settings.Weights, stated: settings.WeightsFacts);
            foreach (string warning in loaded.Warnings)
                progress.Report(new MessageEvent(warning, Warning: true) { Remedy = Remedy.StateFacts });
            ClipTokenizer tokenizer = WeightsTokenizer.For(loaded, settings.Weights, Tokenizer);
            return (WithNewPrompts(new ClipModel(device, loaded), tokenizer), tokenizer);
        }
        var learned = new ClipTokenizer(
            BpeTrainer.Train(data.AllCaptions(), settings.Shape.VocabularySize, data.Train.Classes));
        using ClipWeights random = ClipWeights.Random(settings.Shape.ToConfig(learned.Vocabulary.Count), settings.Seed);
        var clip = new ClipModel(device, random);
        ContrastiveLoss.SetInitialTemperature(clip);
        return (WithNewPrompts(clip, learned), learned);
    }

    private NewPrompts Prompts => new(settings, data.Train.Classes, data.Format, progress);

    private CliperModel WithNewPrompts(ClipModel clip, ClipTokenizer tokenizer)
    {
        try
        {
            return new CliperModel(clip, Prompts.Create(clip, tokenizer), data.Train.Classes);
        }
        catch
        {
            clip.Dispose();
            throw;
        }
    }

    /// <summary>Begins where another training has ended: with its towers and its prompts.</summary>
    private (CliperModel Model, ClipTokenizer Tokenizer) OfCheckpoint(string checkpoint)
    {
        using Checkpoint.CheckpointReader reader = new(checkpoint);
        ClipTokenizer tokenizer;
        using (ClipWeights weights = ClipWeights.Load(checkpoint))
            tokenizer = WeightsTokenizer.For(weights, checkpoint, Tokenizer);
        CliperModel model = reader.ReadModel(device);
        try
        {
            // Prompts of another method are left behind, and towers serve any classes.
            if (Prompts.IsOfMethod(model.Prompts) && !model.Classes.SequenceEqual(data.Train.Classes))
                throw new InputException($"{checkpoint} was trained on {string.Join(", ", model.Classes)}; the data "
                    + $"has {string.Join(", ", data.Train.Classes)}: its descriptors serve the same classes alone")
                { Remedy = Remedy.TakeClipOfCheckpoint };
            if (settings.Method.HasDescriptors() && model.Prompts is Metd metd
                && (metd.PromptsPerClass, metd.Tokens) != (settings.Subclasses, settings.Tokens))
                throw new SettingsException(
                    $"{checkpoint} has {metd.PromptsPerClass} descriptors a class of {metd.Tokens} "
                    + $"tokens; subclasses is {settings.Subclasses} and tokens {settings.Tokens}: "
                    + "set them as the checkpoint has them");
        }
        catch
        {
            model.Dispose();
            throw;
        }
        if (Prompts.IsOfMethod(model.Prompts))
        {
            progress.Report(new MessageEvent($"begins with the model of {checkpoint}, towers and descriptors"));
            return (model, tokenizer);
        }
        progress.Report(new MessageEvent($"begins with the towers of {checkpoint}"));
        model.Prompts.Dispose();
        return (WithNewPrompts(model.Clip, tokenizer), tokenizer);
    }
}
