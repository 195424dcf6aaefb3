using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <content>Losses.</content>
public sealed partial class OperationTest
{
    private void Losses()
    {
        double[] x = Random(Rows * Classes, 9);
        int[] labels = [.. Enumerable.Range(0, Rows).Select(row => row % Classes)];
        DeviceArray loss = Floats([0]), targets = Owned(device.From(labels));
        SoftmaxCrossEntropy.Forward(Floats(x), targets, loss, Floats(new double[Rows]), Rows, Classes);
        double expected = Sum(Rows, r => Math.Log(Sum(Classes, c => Math.Exp(x[r * Classes + c])))
            - x[r * Classes + labels[r]]) / Rows;
        Compare("softmax cross-entropy", loss, (_, _) => expected, 1);
    }

    private void CliperLosses()
    {
        const int Subclasses = 3, Width = Classes * Subclasses;
        double[] s = Random(Rows * Width, 15), gradient = new double[Rows * Width];
        int[] labels = [.. Enumerable.Range(0, Rows).Select(row => row * row % Classes)], nearest = new int[Rows],
            counts = new int[Width];
        for (int b = 0; b < Rows; b++)
            counts[nearest[b] = Places(labels[b]).MaxBy(at => s[b * Width + at])]++;
        double fine = 0, margin = 0;
        for (int b = 0; b < Rows; b++)
        {
            int row = b, label = labels[b];
            double[] n = [.. Places(label).Select(at => counts[at] == 0 ? -1.0 / 99 : counts[at])];
            double own = counts[nearest[b]], alpha = n.Sum() * Math.Exp(1 / own) / n.Sum(value => Math.Exp(1 / value))
                / own;
            fine += alpha * CrossEntropy(nearest[b],
                [nearest[b], .. Enumerable.Range(0, Classes).Where(k => k != label).SelectMany(Places)], alpha);
            int[] hardest = [.. Enumerable.Range(0, Classes).Select(k =>
                k == label ? Places(k).MinBy(at => s[row * Width + at]) : Places(k).MaxBy(at => s[row * Width + at]))];
            margin += CrossEntropy(hardest[label], hardest, 1);

            // The check of one logit of the row against several leaves the gradient.
            double CrossEntropy(int right, int[] places, double weight)
            {
                double total = places.Sum(at => Math.Exp(s[row * Width + at]));
                foreach (int at in places)
                    gradient[row * Width + at] += weight * (Math.Exp(s[row * Width + at]) / total - (at == right ? 1
                        : 0)) / Rows;
                return Math.Log(total) - s[row * Width + right];
            }
        }
        DeviceArray logits = Floats(s), targets = Owned(device.From(labels)), losses = Floats(new double[2]),
            factors = Floats(new double[Rows]),
            chosen = Owned(device.Allocate(Rows, ElementType.Int32)),
            numbers = Owned(device.Allocate(Width, ElementType.Int32)),
            dlogits = Floats(new double[Rows * Width]);
        CliperLoss.Forward(logits, targets, losses, new(factors, chosen, numbers), new(Rows, Classes, Subclasses),
            EmptySubclasses.MinusOneNinetyNinth);
        Compare("CLIPER losses", losses, (_, which) => (which == 0 ? fine : margin) / Rows, 2);
        CliperLoss.Backward(logits, targets, new(factors, chosen, default), Floats([1, 1]), dlogits,
            new(Rows, Classes, Subclasses));
        Compare("CLIPER losses, gradient", dlogits, (_, at) => gradient[at], gradient.Length);

        static IEnumerable<int> Places(int k) => Enumerable.Range(k * Subclasses, Subclasses);
    }
}
