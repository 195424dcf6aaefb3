using Cliper.Model.Inference;
using Cliper.Model.Prompts;
using Cliper.Model.Text;

namespace Cliper.Model.Stages;

/// <summary>Result of a run.</summary>
/// <param name="Model">The trained model; the caller's to dispose.</param>
/// <param name="Tokenizer">Tokenizer of the model's text tower.</param>
/// <param name="Result">The final evaluation, on the test split (or the validation split where there is no
/// other).</param>
/// <param name="ZeroShot">The CLIP alone on the same split, with captions of the class names.</param>
/// <param name="AfterStage1">The prompts with the image tower not yet fine-tuned, on the same split.</param>
/// <param name="BestEpoch">Epoch of stage 2 whose model it is, from 1; 0 for the last.</param>
public sealed record TrainResult(CliperModel Model, ClipTokenizer Tokenizer, Evaluation Result, Evaluation? ZeroShot,
    Evaluation? AfterStage1, int BestEpoch)
{
    /// <summary>The method of the model, in the words of the command line.</summary>
    public string Method => PromptLearners.WordOf(Model.Prompts);

    /// <summary>Name of the data's layout; empty for data made by the program.</summary>
    public string DataFormat { get; init; } = "";

    /// <summary>Parameters that the run has trained, each counted once.</summary>
    public long TrainedParameters { get; init; }
}
