using System.Globalization;
using System.Text;

namespace Cliper.Server;

/// <summary>A histogram as Prometheus counts: values at or below each of some bounds. Thread-safe.</summary>
/// <param name="name">Its name.</param>
/// <param name="help">The measure, with its unit.</param>
/// <param name="bounds">The bounds, ascending.</param>
internal sealed class Histogram(string name, string help, params double[] bounds)
{
    private readonly Lock _lock = new();
    private readonly long[] _counts = new long[bounds.Length + 1];
    private double _sum;

    /// <summary>Counts a value.</summary>
    public void Add(double value)
    {
        int at = Array.FindIndex(bounds, bound => value <= bound);
        lock (_lock)
        {
            _counts[at < 0 ? bounds.Length : at]++;
            _sum += value;
        }
    }

    /// <summary>Writes it in the text format of Prometheus, version 0.0.4.</summary>
    public void Write(StringBuilder text)
    {
        lock (_lock)
        {
            text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} histogram\n");
            long total = 0;
            for (int i = 0; i < bounds.Length; i++)
                text.Append(CultureInfo.InvariantCulture,
                    $"{name}_bucket{{le=\"{bounds[i]}\"}} {total += _counts[i]}\n");
            total += _counts[^1];
            text.Append(CultureInfo.InvariantCulture,
                $"{name}_bucket{{le=\"+Inf\"}} {total}\n{name}_sum {_sum}\n{name}_count {total}\n");
        }
    }
}
