namespace Cliper.Autograd.Optimizers;

/// <summary>
/// A learning rate over the course of training. Positions are in whatever unit the schedule's lengths are given in:
/// steps, or epochs with a fraction. Pure: the rate depends on the position alone, so a resumed run continues exactly.
/// </summary>
public interface ISchedule
{
    /// <summary>The learning rate at <paramref name="position"/> (0 is the beginning).</summary>
    float At(double position);
}

/// <summary>The same rate throughout.</summary>
/// <param name="Rate">The rate.</param>
public sealed record ConstantSchedule(double Rate) : ISchedule
{
    /// <inheritdoc/>
    public float At(double position) => (float)Rate;
}

/// <summary>
/// Half a cosine from <paramref name="Rate"/> down to <paramref name="Floor"/> over <paramref name="Length"/>:
/// floor + (rate - floor) (1 + cos(pi position / length)) / 2; the floor from there on.
/// </summary>
/// <param name="Rate">At the beginning.</param>
/// <param name="Length">Length of the whole training; where it is zero, the floor follows at once.</param>
/// <param name="Floor">At the end.</param>
public sealed record CosineSchedule(double Rate, double Length, double Floor = 0) : ISchedule
{
    /// <inheritdoc/>
    public float At(double position) =>
        (float)(Floor + (Rate - Floor) * (1
            + Math.Cos(Math.PI * (Length > 0 ? Math.Clamp(position / Length, 0, 1) : position > 0 ? 1 : 0))) / 2);
}

/// <summary>
/// The cosine begun again every <paramref name="Period"/> (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5
/// with T_mult = 1). CLIPER's script restarts every 10 epochs and moves once an epoch: give it whole epochs.
/// </summary>
/// <param name="Rate">After each restart.</param>
/// <param name="Period">From one restart to the next, above zero.</param>
/// <param name="Floor">Learning rate that is approached before each restart.</param>
public sealed record CosineWithRestartsSchedule(double Rate, double Period, double Floor = 0) : ISchedule
{
    /// <inheritdoc/>
    public float At(double position) => new CosineSchedule(Rate, Period, Floor).At(Math.Max(0, position) % Period);
}

/// <summary>A constant rate over <paramref name="Length"/>, then another schedule from its beginning: CoOp's, whose
/// cosine is as long as the whole training and begins an epoch late.</summary>
/// <param name="After">Schedule after the constant rate.</param>
/// <param name="Length">Length of the constant rate.</param>
/// <param name="Rate">That rate.</param>
public sealed record LateSchedule(ISchedule After, double Length, double Rate) : ISchedule
{
    /// <inheritdoc/>
    public float At(double position) => position >= Length ? After.At(position - Length) : (float)Rate;
}

/// <summary>
/// A straight line from <paramref name="From"/> times the first rate of <paramref name="After"/> up to it over
/// <paramref name="Length"/>, then that schedule from its beginning.
/// </summary>
/// <param name="After">Schedule after the warm-up.</param>
/// <param name="Length">Length of the warm-up; 0 for none.</param>
/// <param name="From">Share of the rate at position 0.</param>
public sealed record WarmUpSchedule(ISchedule After, double Length, double From = 0) : ISchedule
{
    /// <inheritdoc/>
    public float At(double position) => position >= Length
        ? After.At(position - Length)
        : (float)(After.At(0) * (From + (1 - From) * Math.Max(0, position) / Length));
}
