using Cliper.Model.Metrics;
using Cliper.Model.SyntheticFaces;

namespace Cliper.Cli.Tests;

public sealed class EvaluationOutputTests
{
    [Test]
    public void TheMatrixOfSevenExpressionsFitsATerminalOf80Columns()
    {
        using var written = new StringWriter();
        var matrix = new ConfusionMatrix(FaceExpressions.Names);
        for (int label = 0; label < FaceExpressions.Count; label++)
            for (int count = 0; count < 12_345; count++)
                matrix.Add(label, label);

        EvaluationOutput.Write(new Terminal(written, TextWriter.Null), matrix, "test");

        string[] lines = written.ToString().Split('\n');
        Assert.That(lines.Select(line => line.TrimEnd().Length), Is.All.LessThanOrEqualTo(80));
        foreach (string name in FaceExpressions.Names)
            Assert.That(lines.Count(line => line.TrimStart().StartsWith(name + " ", StringComparison.Ordinal)),
                Is.EqualTo(1),
                written.ToString());
    }
}
