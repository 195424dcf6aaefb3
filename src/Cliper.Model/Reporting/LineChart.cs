using System.Globalization;

namespace Cliper.Model.Reporting;

/// <summary>
/// A chart of curves as inline SVG. Colors come from the page's style, so it follows light and dark.
/// </summary>
internal static class LineChart
{
    private const double Width = 520;
    private const double Height = 230;
    private const double Left = 52;
    private const double Right = 12;
    private const double Top = 12;
    private const double Bottom = 30;
    private const int MostPoints = 240;

    /// <summary>A curve.</summary>
    /// <param name="Name">Its name in the legend.</param>
    /// <param name="Points">Its points by rising x; those that are not finite are left out.</param>
    public sealed record Curve(string Name, IReadOnlyList<(double X, double Y)> Points);

    /// <summary>Draws the chart.</summary>
    /// <param name="title">Title of the chart.</param>
    /// <param name="xLabel">Label of the x axis.</param>
    /// <param name="curves">Up to four.</param>
    /// <param name="percent">Whether y is a share, written in percent.</param>
    /// <param name="dots">Whether each point gets a dot.</param>
    /// <param name="fromZero">Whether y begins at 0, so that a wobble does not look like a trend.</param>
    /// <returns>Nothing when there are not two different x with finite values.</returns>
    public static Html Draw(string title, string xLabel, IReadOnlyList<Curve> curves, bool percent = false,
        bool dots = false, bool fromZero = false)
    {
        curves = [.. curves.Select(Thin).Where(curve => curve.Points.Count > 0)];
        (double X, double Y)[] all = [.. curves.SelectMany(curve => curve.Points)];
        if (all.Length == 0 || all.Max(point => point.X) <= all.Min(point => point.X))
            return Html.Empty;
        double firstX = all.Min(point => point.X);
        double lastX = all.Max(point => point.X);
        double lowest = all.Min(point => point.Y);
        double[] yTicks = Ticks(fromZero ? Math.Min(0, lowest) : lowest, all.Max(point => point.Y), 4);
        double low = yTicks[0];
        double high = yTicks[^1];
        double[] xTicks = [.. Ticks(firstX, lastX, 5, whole: true).Where(tick => tick >= firstX && tick <= lastX)];
        double step = yTicks[1] - yTicks[0];

        Html grid = Html.Join(yTicks.Select(tick => Html.Of($"""
            <line class="grid" x1="{Left:0}" x2="{Width - Right:0}" y1="{Y(tick):0.#}" y2="{Y(tick):0.#}"/>
            <text class="tick" x="{Left - 6:0}" y="{Y(tick) + 4:0.#}" text-anchor="end">{Label(tick, step, percent)}</text>

            """)));
        Html axis = Html.Join(xTicks.Select(tick => Html.Of($"""
            <text class="tick" x="{X(tick):0.#}" y="{Height - Bottom + 16:0}" text-anchor="middle">{tick:0.##}</text>

            """)));
        Html lines = Html.Join(curves.Select((curve, number) => Html.Of(
            $"""<path class="curve c{number}" d="{Path(curve)}"/>{(dots ? Dots(curve, number) : [])}""")));
        Html names = Html.Join(curves.Select((curve, number) =>
            Html.Of($"""<span><i class="c{number}"></i>{curve.Name}</span>""")));
        Html legend = curves.Count < 2 ? Html.Empty : Html.Of($"""<span class="legend">{names}</span>""");
        return Html.Of($"""
            <figure class="chart"><figcaption>{title}{legend}</figcaption>
            <svg viewBox="0 0 {Width:0} {Height:0}" role="img" aria-label="{title}">{grid}{axis}
            <text class="tick" x="{Width - Right:0}" y="{Height - 2:0}" text-anchor="end">{xLabel}</text>{lines}</svg></figure>

            """);

        double X(double x) => Left + ((x - firstX) / (lastX - firstX) * (Width - Left - Right));
        double Y(double y) => Top + ((high - y) / (high - low) * (Height - Top - Bottom));
        string Path(Curve curve) => string.Join(' ', curve.Points.Select((point, index) => string.Create(
            CultureInfo.InvariantCulture, $"{(index == 0 ? 'M' : 'L')}{X(point.X):0.#} {Y(point.Y):0.#}")));
        IEnumerable<Html> Dots(Curve curve, int number) => curve.Points.Select(point =>
        {
            string value = percent ? Percent(point.Y) : point.Y.ToString("0.####", CultureInfo.InvariantCulture);
            return Html.Of($"""
                <circle class="dot c{number}" cx="{X(point.X):0.#}" cy="{Y(point.Y):0.#}" r="3"><title>{curve.Name}, {xLabel} {point.X:0.##}: {value}</title></circle>
                """);
        });
    }

    /// <summary>Round numbers from at or below the smallest to at or above the largest value.</summary>
    /// <param name="low">Smallest value.</param>
    /// <param name="high">Largest value.</param>
    /// <param name="intervals">About how many intervals are wanted; there are no more than two beyond that.</param>
    /// <param name="whole">Whether steps and epochs are counted, which have no fractions.</param>
    internal static double[] Ticks(double low, double high, int intervals, bool whole = false)
    {
        if (high <= low)
            (low, high) = (low - Math.Max(Math.Abs(low) * 0.1, 1e-12), high + Math.Max(Math.Abs(high) * 0.1, 1e-12));
        double rough = (high - low) / intervals;
        double power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        double step = new[] { 1, 2, 2.5, 5, 10 }.First(factor => factor * power >= rough * 0.999999) * power;
        if (whole)
            step = Math.Ceiling(step);
        // A hair of tolerance: a bound that is a tick already must not get another interval from rounding.
        double first = Math.Floor((low / step) + 1e-9);
        double last = Math.Ceiling((high / step) - 1e-9);
        return [.. Enumerable.Range(0, (int)(last - first) + 1).Select(index => (first + index) * step)];
    }

    private static string Percent(double share) =>
        string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.##} %");

    /// <summary>A tick with as many decimals as the step between ticks has.</summary>
    private static string Label(double value, double step, bool percent)
    {
        if (percent)
            return Percent(value);
        const int MostDigits = 4;
        int digits = 0;
        for (double scaled = step; digits <= MostDigits && Math.Abs(scaled - Math.Round(scaled)) > 1e-6; scaled *= 10)
            digits++;
        return Math.Abs(value) < step * 1e-6 ? "0"
            : digits > MostDigits || Math.Abs(value) >= 1e6 ? value.ToString("0.##e+0", CultureInfo.InvariantCulture)
            : value.ToString("#,0." + new string('#', digits), CultureInfo.InvariantCulture);
    }

    /// <summary>Long curves become means over equal stretches: no screen shows more.</summary>
    private static Curve Thin(Curve curve)
    {
        (double X, double Y)[] finite =
            [.. curve.Points.Where(point => double.IsFinite(point.X) && double.IsFinite(point.Y))];
        if (finite.Length <= MostPoints)
            return curve with { Points = finite };
        var thinned = new (double, double)[MostPoints];
        for (int index = 0; index < MostPoints; index++)
        {
            int start = (int)((long)index * finite.Length / MostPoints);
            int end = (int)((long)(index + 1) * finite.Length / MostPoints);
            ReadOnlySpan<(double X, double Y)> stretch = finite.AsSpan(start, end - start);
            double x = 0;
            double y = 0;
            foreach ((double pointX, double pointY) in stretch)
                (x, y) = (x + pointX, y + pointY);
            thinned[index] = (x / stretch.Length, y / stretch.Length);
        }
        return curve with { Points = thinned };
    }
}
