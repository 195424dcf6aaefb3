namespace Cliper.Model.Stages;

/// <summary>Rates over the last few seconds.</summary>
/// <param name="seconds">How many.</param>
internal sealed class RateWindow(double seconds)
{
    private readonly Queue<(int Images, double Seconds, double Waited)> _steps = [];
    private double _images, _seconds, _waited;

    /// <summary>Images or frames a second.</summary>
    public double ImagesPerSecond => _images / Math.Max(_seconds, 1e-9);

    /// <summary>Fraction of the time spent waiting for data.</summary>
    public double WaitShare => _waited / Math.Max(_seconds, 1e-9);

    /// <summary>Mean time of a step.</summary>
    public TimeSpan SecondsPerStep => TimeSpan.FromSeconds(_seconds / Math.Max(1, _steps.Count));

    /// <summary>Adds a step.</summary>
    /// <param name="images">Its images.</param>
    /// <param name="elapsed">Time it took.</param>
    /// <param name="waited">Part of it spent waiting for data.</param>
    public void Add(int images, TimeSpan elapsed, TimeSpan waited)
    {
        _steps.Enqueue((images, elapsed.TotalSeconds, waited.TotalSeconds));
        _images += images;
        _seconds += elapsed.TotalSeconds;
        _waited += waited.TotalSeconds;
        while (_steps.Count > 1 && _seconds > seconds)
        {
            (int oldImages, double oldSeconds, double oldWaited) = _steps.Dequeue();
            _images -= oldImages;
            _seconds -= oldSeconds;
            _waited -= oldWaited;
        }
    }
}
