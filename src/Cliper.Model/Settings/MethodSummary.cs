using Cliper.Model.Samples;

namespace Cliper.Model.Settings;

/// <summary>Says in a sentence how a method was trained, to stand under a table.</summary>
internal static class MethodSummary
{
    /// <summary>The sentence.</summary>
    /// <param name="settings">Settings of a run.</param>
    public static string Of(TrainSettings settings)
    {
        string name = settings.Method.Name();
        return settings.Method switch
        {
            TrainingMethod.ZeroShot => $"{name}: the captions {settings.ZeroShot.Prompts} with the words "
                + $"{ClassWords.Name(settings.ZeroShot.Names)}.",
            TrainingMethod.LinearProbe when settings.Probe.Solver == ProbeSolver.Lbfgs =>
                $"{name}: L-BFGS on the features of the images as they are.",
            _ => $"{name}: {string.Join("; ", StagesOf(settings))}.",
        };
    }

    private static IEnumerable<string> StagesOf(TrainSettings settings)
    {
        foreach (TrainingStage stage in TrainingStages.All)
            if (settings.Of(stage) is { Epochs: > 0 } own)
            {
                bool kept = settings.Features == FeatureSource.Cached
                    && (stage == TrainingStage.Stage1 || settings.Method == TrainingMethod.LinearProbe);
                yield return FormattableString.Invariant($"{stage.Name()} of {own.Epochs} epochs in batches of ")
                    + FormattableString.Invariant($"{own.BatchSize} by {NameOf(own.Optimizer)} at ")
                    + FormattableString.Invariant($"{own.LearningRate:G3}, ")
                    + (kept ? "on kept features" : $"augmentation {own.Augmentation}");
            }
    }

    private static string NameOf(OptimizerKind optimizer) => optimizer switch
    {
        OptimizerKind.Sgd => "SGD",
        OptimizerKind.AdamWHalf => "AdamW in fp16",
        _ => "AdamW",
    };
}
