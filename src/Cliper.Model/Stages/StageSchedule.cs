using Cliper.Autograd.Optimizers;
using Cliper.Model.Settings;

namespace Cliper.Model.Stages;

/// <summary>The learning rate over a stage, by epochs.</summary>
internal static class StageSchedule
{
    // The rate of CoOp's first epoch.
    private const double LateCosineWarmUp = 1e-5;

    /// <summary>The schedule that a stage's settings ask for.</summary>
    public static ISchedule Of(StageSettings settings)
    {
        if (settings.Schedule == ScheduleKind.LateCosine)
            return new LateSchedule(new CosineSchedule(settings.LearningRate, settings.Epochs), Length: 1,
                LateCosineWarmUp);
        ISchedule schedule = settings.Schedule switch
        {
            ScheduleKind.Cosine => new CosineSchedule(settings.LearningRate, settings.Epochs - settings.WarmUpEpochs),
            ScheduleKind.CosineRestarts =>
                new CosineWithRestartsSchedule(settings.LearningRate, settings.RestartEpochs),
            _ => new ConstantSchedule(settings.LearningRate),
        };
        return new WarmUpSchedule(schedule, settings.WarmUpEpochs);
    }
}
