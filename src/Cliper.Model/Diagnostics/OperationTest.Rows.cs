using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <content>Operations on rows and elements.</content>
public sealed partial class OperationTest
{
    private void NormalizeImages()
    {
        double[] x = Random(Rows * Depth, 6), gamma = Random(Depth, 7), beta = Random(Depth, 8);
        DeviceArray input = Numbers(x), output = Empty(x.Length), features = Floats(x), unit = Floats(x),
            mean = Floats(new double[Rows]),
            rstd = Floats(new double[Rows]);
        LayerNorm.Forward(input, new(Floats(gamma), Floats(beta)), output, new(mean, rstd), new(Rows, Depth));
        Compare("layer norm", output, (r, c) =>
        {
            double average = Sum(Depth, i => x[r * Depth + i]) / Depth;
            double variance = Sum(Depth, i => Math.Pow(x[r * Depth + i] - average, 2)) / Depth;
            return (x[r * Depth + c] - average) / Math.Sqrt(variance + LayerNorm.DefaultEpsilon) * gamma[c] + beta[c];
        }, Depth);
        L2Normalize.Forward(features, unit, rstd, Rows, Depth);
        Compare("L2 normalize", unit, (r, c) =>
            x[r * Depth + c] / Math.Sqrt(Sum(Depth, i => x[r * Depth + i] * x[r * Depth + i])), Depth);
    }

    private void TokenRows()
    {
        const int Sequences = 3, Length = 6, Inserted = 2, Start = 3, TableRows = 9;
        double[] table = Random(TableRows * Depth, 16), x = Random(Sequences * Length * Depth, 17),
            insert = Random(Sequences * Inserted * Depth, 18);
        int[] rows = [.. Enumerable.Range(0, Sequences * Length).Select(at => at * 5 % TableRows)];
        DeviceArray ids = Owned(device.From(rows)), tokens = Numbers(x), y = Empty(x.Length), dtable = Floats(table),
            dinsert = Floats(insert);
        Gather.Forward(Floats(table), ids, y, TableRows, Depth);
        Compare("gather", y, (r, c) => table[rows[r] * Depth + c], Depth);
        Gather.Backward(ids, tokens, dtable, TableRows, Depth);
        Compare("gather, gradient", dtable, (r, c) => Sum(rows.Length, i => rows[i] == r ? x[i * Depth + c] : 0),
            Depth);
        DeviceArray slots = Owned(device.From([.. Enumerable.Range(0, Sequences * Inserted)
            .Select(at => Start + at % Inserted)]));
        Place.Forward(tokens, Floats(insert), slots, y, new(Sequences, Length, Inserted, Depth));
        Compare("place", y, (r, c) => r % Length is >= Start and < Start + Inserted
            ? insert[(r / Length * Inserted + r % Length - Start) * Depth + c] : x[r * Depth + c], Depth);
        Place.Backward(tokens, slots, default, dinsert, new(Sequences, Length, Inserted, Depth));
        Compare("place, gradient", dinsert, (r, c) => x[(r / Inserted * Length + Start + r % Inserted) * Depth + c],
            Depth);
    }

    private void Elements()
    {
        double[] x = Random(Rows * Depth, 10), p = Random(Depth, 11), g = Random(Depth, 12), m = Random(Depth, 13),
            v = [.. Random(Depth, 14).Select(Math.Abs)];
        DeviceArray input = Numbers(x), output = Empty(x.Length), parameter = Floats(p);
        Elementwise.Forward<QuickGelu>(input, output);
        Compare("QuickGELU", output, (_, at) => x[at] / (1 + Math.Exp(-1.702 * x[at])), x.Length);

        const double First = 0.9, Second = 0.99, Epsilon = 1e-2, Rate = 0.125, Decay = 0.5;
        const int Step = 3;
        AdamWUpdate.Step([new(parameter, Floats(g), Floats(m), Floats(v), Step, (float)Rate, (float)Decay)],
            new(First, Second, Epsilon));
        Compare("AdamW", parameter, (_, at) =>
        {
            double first = First * m[at] + (1 - First) * g[at], second = Second * v[at] + (1 - Second) * g[at] * g[at];
            double step = first / (1 - Math.Pow(First, Step))
                / (Math.Sqrt(second / (1 - Math.Pow(Second, Step))) + Epsilon);
            return p[at] - Rate * (step + Decay * p[at]);
        }, p.Length);
    }
}
