using Cliper.Autograd.Optimizers;
using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Checkpoints;

/// <summary>The files of a run's checkpoints/ folder, and the vocabulary beside it.</summary>
internal sealed class RunCheckpoints
{
    private readonly string _run;
    private readonly string _folder;
    private readonly string _tokenizer;

    public RunCheckpoints(string run)
    {
        _run = run;
        _folder = Path.Combine(run, CheckpointFiles.FolderName);
        _tokenizer = Path.Combine(run, CheckpointFiles.TokenizerName);
    }

    /// <summary>State of the run: model, optimizer state, place.</summary>
    public string LastPath => Path.Combine(_folder, CheckpointFiles.LastName);

    /// <summary>The best model so far, where one is selected.</summary>
    public string BestPath => Path.Combine(_folder, CheckpointFiles.BestName);

    public void SaveModel(CliperModel model, CheckpointInfo info) =>
        Checkpoint.Save(Path.Combine(_folder, CheckpointFiles.ModelName), model, info);

    public void SaveBest(CliperModel model, CheckpointInfo info) => Checkpoint.Save(BestPath, model, info);

    public void SaveLast(CliperModel model, CheckpointInfo info, TrainingState state, IOptimizer? optimizer,
        WeightAverage? average = null) =>
        Checkpoint.Save(LastPath, model, info, TensorType.F32, new ResumeState(state, optimizer, average));

    public Checkpoint.CheckpointReader OpenLast() => File.Exists(LastPath)
        ? new Checkpoint.CheckpointReader(LastPath)
        : throw new InputException($"{LastPath}: no such file: the run has not reached its first checkpoint")
        { Remedy = Remedy.RestartRun };

    /// <summary>Writes the CLIP alone, as fp16 weights that bring their vocabulary. Returns the path.</summary>
    public string SaveClip(ClipModel clip, ClipTokenizer tokenizer)
    {
        string path = Path.Combine(_run, "clip.safetensors");
        var metadata = new Dictionary<string, string>();
        tokenizer.Vocabulary.AddTo(metadata);
        ClipWeights.From(clip).Save(path, type: TensorType.F16, metadata: metadata);
        return path;
    }

    public void SaveTokenizer(ClipTokenizer tokenizer) => tokenizer.Vocabulary.Save(_tokenizer);

    public ClipTokenizer LoadTokenizer() => ClipTokenizer.Load(_tokenizer);
}
