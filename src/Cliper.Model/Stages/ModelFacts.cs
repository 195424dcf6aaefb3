using Cliper.Model.Checkpoints;
using Cliper.Model.DataSets;
using Cliper.Model.Faces;
using Cliper.Model.Inference;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;

namespace Cliper.Model.Stages;

/// <summary>The facts that a training finds out for those who use its model.</summary>
internal static class ModelFacts
{
    /// <summary>The facts that settings and data state.</summary>
    /// <param name="settings">Settings of the run.</param>
    /// <param name="data">Its data.</param>
    /// <exception cref="InputException">The checkpoint that the run begins with cannot be read.</exception>
    public static CheckpointInfo Of(TrainSettings settings, TrainingData data) =>
        new(settings.Frames, settings.Recipe, data.Note)
        {
            FramesPerSegment = settings.FramesPerSegment,
            ShortClips = settings.ShortClips,
            FaceMargin = settings.Choices.FaceMargin,
            Alignment = data.Alignment,
            Terms = TermsOf(settings, data),
        };

    /// <summary>
    /// The facts with the place of the faces in the training images, which is measured unless it is known. Whole images
    /// show their faces anywhere.
    /// </summary>
    /// <param name="info">Facts so far.</param>
    /// <param name="settings">Settings of the run: whose boxes are measured.</param>
    /// <param name="data">Data of the run.</param>
    /// <param name="shared">Knows the faces that a run before has found.</param>
    /// <param name="progress">Told what was found.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">The cascade cannot be read.</exception>
    public static CheckpointInfo WithFaces(CheckpointInfo info, TrainSettings settings, TrainingData data,
        SharedWork shared, IProgress<TrainEvent> progress, CancellationToken cancellation)
    {
        if (info.FaceTemplate is not null || data.Alignment == FaceAlignment.WholeImage)
            return info;
        using var detector = new BlazeFace();
        TrainingFaces faces = shared.Once(["faces", settings.FaceDetector, .. SharedWork.PartsOf(data.Train)], () =>
            TrainingFaces.Find(data.Train.Samples, detector, cancellation,
                settings.FaceDetector.Length > 0 ? CascadeDetector.Load(settings.FaceDetector) : null));
        progress.Report(new MessageEvent($"{faces}"));
        return info with { FaceTemplate = faces.Template };
    }

    /// <summary>Gives a model the answer temperature that fits samples it has not learned from.</summary>
    /// <param name="model">The model, at answer temperature 1.</param>
    /// <param name="held">Its answers on such samples.</param>
    /// <param name="progress">Told the temperature and what it brings.</param>
    public static void Calibrate(CliperModel model, Evaluation held, IProgress<TrainEvent> progress)
    {
        IReadOnlyList<LabeledAnswer> answers = held.Answers;
        if (answers.Count == 0)
            return;
        model.AnswerTemperature = Calibration.Fit(answers);
        LabeledAnswer[] fitted = [.. answers.Select(answer => answer with
        {
            Probabilities = Calibration.AtTemperature(answer.Probabilities, model.AnswerTemperature),
        })];
        progress.Report(new MessageEvent(FormattableString.Invariant(
            $"answer temperature {model.AnswerTemperature:F2}, fitted on {answers.Count} samples of {held.Split}; ")
            + FormattableString.Invariant($"calibration error {Calibration.ErrorOf(answers):F3}, with it ")
            + FormattableString.Invariant($"{Calibration.ErrorOf(fitted):F3}")));
    }

    // A model that begins with another one is bound by its terms as well.
    private static string? TermsOf(TrainSettings settings, TrainingData data)
    {
        string? own = settings.Terms.Length > 0 ? settings.Terms : DataSetTerms.Of(data.Format), inherited = null;
        if (settings.Init.Length > 0)
        {
            using Checkpoint.CheckpointReader reader = new(Checkpoint.Find(settings.Init));
            inherited = reader.Info.Terms;
        }
        string[] all = [.. new[] { inherited, own }.OfType<string>().Distinct()];
        return all.Length == 0 ? null : string.Join("; ", all);
    }
}
