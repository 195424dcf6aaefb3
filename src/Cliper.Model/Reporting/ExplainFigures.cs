using System.Globalization;
using Cliper.Model.Interpretation;

namespace Cliper.Model.Reporting;

/// <summary>A descriptor's cosines over time.</summary>
/// <param name="Name">Such as "happiness 2".</param>
/// <param name="Points">Time and cosine, by rising time.</param>
internal sealed record IntensityCurve(string Name, IReadOnlyList<(double Time, double Cosine)> Points);

/// <summary>The drawings of an explanation.</summary>
internal static class ExplainFigures
{
    private const int Width = 960, PlaneHeight = 640, CurvesHeight = 340, Margin = 24, Legend = 170, Line = 20;
    private const int AxisWidth = 56, AxisHeight = 40, TextRoom = 40;

    /// <summary>Samples as dots in the color of their class, hollow where they were predicted wrong, and descriptors as
    /// diamonds with their numbers.</summary>
    /// <param name="plane">The points.</param>
    /// <param name="classes">Class names.</param>
    public static Figure Plane(FeaturePlane plane, IReadOnlyList<string> classes)
    {
        var figure = new Figure(Width, PlaneHeight);
        double left = plane.Points.Min(point => point.X), right = plane.Points.Max(point => point.X),
            low = plane.Points.Min(point => point.Y), high = plane.Points.Max(point => point.Y);
        var labels = new List<((double X, double Y) At, int Label, string Text)>();
        foreach (PlanePoint point in plane.Points.OrderBy(point => point.Name is null))
        {
            (double X, double Y) at = (
                Margin + Part(point.X, left, right) * (Width - Legend - 2 * TextRoom - 2 * Margin),
                PlaneHeight - Margin - Part(point.Y, low, high) * (PlaneHeight - 2 * Margin));
            int color = TimelinePlot.ColorOf(point.Label);
            string number = (point.Descriptor + 1).ToString(CultureInfo.InvariantCulture);
            if (point.Name is null)
            {
                figure.Diamond(at, 7, color);
                AddLabel(labels, at, point.Label, number);
            }
            else
                figure.Dot(at, 3, color, !point.IsRight, $"{point.Name}: {classes[point.Label]}, descriptor {number}");
        }
        foreach (((double X, double Y) at, _, string text) in labels)
            figure.Text((at.X + 11, at.Y + 4), text);
        double x = Width - Legend, y = Margin + 10;
        for (int label = 0; label < classes.Count; label++, y += Line)
        {
            figure.Dot((x, y), 5, TimelinePlot.ColorOf(label));
            figure.Text((x + 14, y + 4), classes[label]);
        }
        y += Line / 2;
        figure.Dot((x, y), 4, 0x888888, hollow: true);
        figure.Text((x + 14, y + 4), "predicted wrong");
        figure.Diamond((x, y + Line), 6, 0x888888);
        figure.Text((x + 14, y + Line + 4), "descriptor");
        return figure;
    }

    /// <summary>Descriptors of a class that lie on one another share a label, such as "1 2 5".</summary>
    private static void AddLabel(List<((double X, double Y) At, int Label, string Text)> labels,
        (double X, double Y) at, int label, string number)
    {
        int near = labels.FindIndex(other => other.Label == label && Math.Abs(other.At.X - at.X) < TextRoom
            && Math.Abs(other.At.Y - at.Y) < Line);
        if (near < 0)
            labels.Add((at, label, number));
        else
            labels[near] = ((Math.Max(labels[near].At.X, at.X), labels[near].At.Y), label,
                $"{labels[near].Text} {number}");
    }

    /// <summary>Cosines with descriptors over time.</summary>
    /// <param name="curves">The curves, at least one with a point.</param>
    /// <param name="unit">Unit of the time, such as "s".</param>
    public static Figure Curves(IReadOnlyList<IntensityCurve> curves, string unit)
    {
        var figure = new Figure(Width, CurvesHeight);
        (double Time, double Cosine)[] all = [.. curves.SelectMany(curve => curve.Points)];
        double first = all.Min(point => point.Time), last = Math.Max(all.Max(point => point.Time), first + 1e-9);
        double[] ticks = LineChart.Ticks(all.Min(point => point.Cosine), all.Max(point => point.Cosine), 4),
            times = [.. LineChart.Ticks(first, last, 6, whole: unit.Length == 0)
                .Where(time => time >= first && time <= last)];
        foreach (double tick in ticks)
        {
            figure.Rule(AxisWidth, Y(tick), Width - Legend, Y(tick));
            figure.Text((AxisWidth - 8, Y(tick) + 4), tick.ToString("0.0##", CultureInfo.InvariantCulture),
                TextAnchor.End);
        }
        figure.Text((AxisWidth, Margin - 10), "cosine");
        foreach (double time in times)
            figure.Text((X(time), CurvesHeight - AxisHeight + 18), time.ToString("0.##", CultureInfo.InvariantCulture)
                + (unit.Length > 0 ? $" {unit}" : ""), TextAnchor.Middle);
        for (int at = 0; at < curves.Count; at++)
        {
            int color = TimelinePlot.ColorOf(at);
            (double, double)[] points = [.. curves[at].Points.Select(point => (X(point.Time), Y(point.Cosine)))];
            figure.Curve(points, color);
            foreach ((double, double) point in points.Length <= 60 ? points : [])
                figure.Dot(point, 2.5, color);
            double y = Margin + Line * at;
            figure.Box(Width - Legend + 16, y - 5, 12, 10, color);
            figure.Text((Width - Legend + 34, y + 4), curves[at].Name);
        }
        return figure;

        double X(double time) => AxisWidth + Part(time, first, last) * (Width - Legend - AxisWidth);
        double Y(double cosine) => CurvesHeight - AxisHeight
            - Part(cosine, ticks[0], ticks[^1]) * (CurvesHeight - AxisHeight - Margin);
    }

    private static double Part(double value, double low, double high) =>
        high > low ? (value - low) / (high - low) : 0.5;
}
