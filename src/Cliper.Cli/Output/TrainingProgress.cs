using System.Diagnostics;
using Cliper.Model;
using Cliper.Model.Stages;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Cliper.Cli;

/// <summary>
/// Reports a training run on standard error: a moving bar on a terminal, else a line every few seconds and one an
/// epoch. Messages and epochs stay visible in both.
/// </summary>
internal static class TrainingProgress
{
    /// <summary>Bar and text share one line of 80 columns.</summary>
    private const int BarWidth = 8;

    /// <summary>Runs <paramref name="work"/> with a listener for its events.</summary>
    public static T Show<T>(Terminal terminal, Func<IProgress<TrainEvent>, T> work)
    {
        if (!terminal.Live)
            return work(new Lines(terminal));
        return terminal.Progress.Progress()
            .AutoClear(true)
            .HideCompleted(true)
            .Columns(new SpinnerColumn(), new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn { Width = BarWidth }, new PercentageColumn())
            .Start(context => work(new Bar(terminal, context)));
    }

    /// <summary>
    /// A step, such as "stage1 epoch 1/2 step 34/192: loss 3.41 (fine 2.30, margin 1.11), lr 1.0e-02, 812 images/s,
    /// ...".
    /// </summary>
    public static string Line(StepEvent step) => Format.Invariant(
        $"{step.Stage.Name()} epoch {step.Epoch}/{step.Epochs} step {step.Step}/{step.Steps}: ",
        $"{Losses(step.Loss, step.Fine, step.Margin)}, ") + Format.Invariant(
        $"lr {step.LearningRate:0.0e-00}, {step.ImagesPerSecond:F0} images/s, waiting {100 * step.WaitShare:F0} %, ",
        $"{Format.Bytes(step.MemoryBytes)}, ") +
        $"{Format.Duration(step.Remaining)} left{(step.Skipped ? ", step skipped: gradient not finite" : "")}";

    /// <summary>
    /// An epoch, such as "stage2 epoch 3/4: loss 1.20 (fine 0.80, margin 0.40), ..., validation WAR 61.2 % UAR 58.0 %".
    /// </summary>
    public static string Line(EpochEvent epoch) => Format.Invariant(
        $"{epoch.Stage.Name()} epoch {epoch.Epoch}/{epoch.Epochs}: {Losses(epoch.Loss, epoch.Fine, epoch.Margin)}, ")
        + Format.Invariant(
        $"lr {epoch.LearningRate:0.0e-00}, {epoch.ImagesPerSecond:F0} images/s, waiting {100 * epoch.WaitShare:F0} ",
        $"%, ") +
        Format.Duration(TimeSpan.FromSeconds(epoch.Seconds)) +
        (epoch.SkippedSteps > 0 ? $", {epoch.SkippedSteps} steps skipped: gradient not finite" : "") +
        (epoch.EvaluatedOn is null ? ""
        : $", {epoch.EvaluatedOn} WAR {Format.Percent(epoch.War)} UAR {Format.Percent(epoch.Uar)}");

    /// <summary>
    /// A step beside a bar, such as "stage1 1/2  loss 3.41  812 images/s  waiting 0 %  213 MiB  0:31 left".
    /// </summary>
    private static string ShortLine(StepEvent step) => Format.Invariant(
        $"{step.Stage.Name()} {step.Epoch}/{step.Epochs}  loss {step.Loss:F2}  {step.ImagesPerSecond:F0} images/s  ",
        $"waiting {100 * step.WaitShare:F0} %  ")
        + $"{Format.Bytes(step.MemoryBytes)}  {Format.Duration(step.Remaining)} left";

    private static string Losses(float loss, float? fine, float? margin) => Format.Invariant($"loss {loss:F3}") +
        (fine is null || margin is null ? "" : Format.Invariant($" (fine {fine:F3}, margin {margin:F3})"));

    private static string Line(MessageEvent message) => (message.Warning ? "warning: " : "")
        + Remedies.Explain(message);

    private sealed class Lines(Terminal terminal) : IProgress<TrainEvent>
    {
        private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

        private readonly WorkLines _work = new(terminal);
        private long _last;

        public void Report(TrainEvent value)
        {
            switch (value)
            {
                case WorkEvent work:
                    _work.Tell(work.Work, work.Fraction);
                    break;
                case MessageEvent message:
                    terminal.Say(Line(message));
                    break;
                case EpochEvent epoch:
                    terminal.Say(Line(epoch));
                    break;
                case StepEvent step when _last == 0 || Stopwatch.GetElapsedTime(_last) > Interval:
                    terminal.Say(Line(step));
                    _last = Stopwatch.GetTimestamp();
                    break;
            }
        }
    }

    private sealed class Bar(Terminal terminal, ProgressContext context) : IProgress<TrainEvent>
    {
        private ProgressTask? _task, _work;
        private string _working = "";
        private TrainingStage _stage;

        public void Report(TrainEvent value)
        {
            if (value is not WorkEvent)
            {
                _work?.StopTask();
                _work = null;
            }
            switch (value)
            {
                case WorkEvent work:
                    if (_working != work.Work)
                        _work?.StopTask();
                    if (_work is null or { IsFinished: true })
                        _work = context.AddTask(Markup.Escape(work.Work));
                    _working = work.Work;
                    _work.Value = _work.MaxValue * work.Fraction;
                    break;
                case MessageEvent message:
                    terminal.Progress.Write(new WholeLine(Line(message), message.Warning ? Color.Yellow : Style.Plain));
                    break;
                case EpochEvent epoch:
                    terminal.Progress.Write(new WholeLine(Line(epoch), Style.Plain));
                    break;
                case StepEvent step:
                    if (_task is null || _stage != step.Stage)
                    {
                        _task?.StopTask();
                        _task = context.AddTask(step.Stage.Name());
                        _stage = step.Stage;
                    }
                    _task.MaxValue = (double)step.Epochs * step.Steps;
                    _task.Value = (step.Epoch - 1.0) * step.Steps + step.Step;
                    _task.Description = Markup.Escape(ShortLine(step));
                    break;
            }
        }
    }

    /// <summary>A line above the bar. It is written where the bar stood, so what it does not cover is erased.</summary>
    internal sealed class WholeLine(string text, Style style) : IRenderable
    {
        private const string EraseToEnd = "\u001b[K";

        private readonly Text _text = new(text + "\n", style);

        public Measurement Measure(RenderOptions options, int maxWidth) =>
            ((IRenderable)_text).Measure(options, maxWidth);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth)
        {
            foreach (Segment segment in ((IRenderable)_text).Render(options, maxWidth))
            {
                if (segment.IsLineBreak)
                    yield return Segment.Control(EraseToEnd);
                yield return segment;
            }
        }
    }
}
