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

    [TestCase("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", TestName =
        "eight expressions are cut")]
    [TestCase("fearfully surprised", "fearfully disgusted", "happily surprised", "happily disgusted",
        "sadly surprised", "sadly disgusted", "angrily surprised", "angrily disgusted", "sadly fearful",
        "sadly angry", "fearfully angry", TestName = "eleven compound expressions are numbered")]
    public void TheMatrixOfMoreClassesFitsToo(params string[] classes)
    {
        using var written = new StringWriter();
        var matrix = new ConfusionMatrix(classes);
        for (int label = 0; label < classes.Length; label++)
            for (int count = 0; count < 1000 + label; count++)
                matrix.Add(label, label);

        EvaluationOutput.Write(new Terminal(written, TextWriter.Null), matrix, "test");

        string[] lines = written.ToString().Split('\n');
        Assert.That(lines.Select(line => line.TrimEnd().Length), Is.All.LessThanOrEqualTo(80), written.ToString());
        for (int label = 0; label < classes.Length; label++)
        {
            string row = lines.Single(line => line.Contains($" {1000 + label} ", StringComparison.Ordinal));
            Assert.That(row, Does.Contain(classes[label].Split(' ')[0]), "a long class goes on in a further line");
        }
        Assert.That(EvaluationOutput.ColumnNames(classes, [.. classes.Select(_ => 4)]).Distinct().Count(),
            Is.EqualTo(classes.Length));
    }
}
