using Cliper.Model.Reporting;

namespace Cliper.Model.Tests.Reporting;

public sealed class ResultTableTests : TemporaryFolder
{
    private static readonly ResultTable Table = new()
    {
        Title = "a & b",
        Keys = ["method", "shots"],
        Rows =
        [
            Row(["coop", "16"], 1, 0.5), Row(["coop", "16"], 2, 0.6), Row(["coop", "16"], 3, 0.7),
            Row(["50%_off|<b>", ""], 1, null) with { Failure = "diverged" },
        ],
        Extras = ["usage_entropy"],
        References = [new ReferenceTable("Table III", ["M", "L"], [["1", "4"]])],
    };

    [Test]
    public void Csv_OfMethods_HasTheColumnsThatScriptsRead()
    {
        Table.Write(Folder);

        string[] lines = File.ReadAllLines(In("table.csv"));
        Assert.That(lines[0],
            Is.EqualTo("method,shots,seed,war,uar,seconds,trained_parameters,paper_war,paper_uar,usage_entropy"));
        Assert.That(lines[1], Is.EqualTo("coop,16,1,0.5,0.25,60,1000,0.8465,,0.75"));
        Assert.That(lines[4], Is.EqualTo("50%_off|<b>,,1,,,,,,,"), "what is unknown is empty");
        Assert.That(lines, Has.Length.EqualTo(5));
    }

    [Test]
    public void Documents_RunsOfSeveralSeeds_AreOneLineWithMeanAndDeviation()
    {
        Table.Write(Folder);

        foreach (string type in new[] { "html", "md" })
        {
            string text = System.Net.WebUtility.HtmlDecode(File.ReadAllText(In($"table.{type}")));
            Assert.That(text, Does.Contain("60.00 ± 10.00").And.Contain("-24.65").And.Contain("0.750 ± 0.000"), type);
            // sqrt(0.7 * 0.3 / 3068).
            Assert.That(text, Does.Contain("One standard error of 70.00 % on 3,068 samples is 0.83 points"), type);
            Assert.That(text, Does.Contain("0 of 1").And.Contain("diverged").And.Contain("Table III"), type);
        }
    }

    [Test]
    public void Documents_SignsOfTheirOwn_AreEscaped()
    {
        Table.Write(Folder);

        Assert.That(File.ReadAllText(In("table.html")), Does.Contain("50%_off|&lt;b&gt;").And.Contain("a &amp; b"));
        Assert.That(File.ReadAllText(In("table.md")), Does.Contain(@"50%_off\|<b>"));
        string latex = File.ReadAllText(In("table.tex"));
        Assert.That(latex, Does.Contain(@"50\%\_off|<b>").And.Contain(@"60.00 $\pm$ 10.00"));
        Assert.That(latex.Split('\n').Count(line => line.EndsWith(@"\\", StringComparison.Ordinal)), Is.EqualTo(3));
    }

    [Test]
    public void OfSizes_TableIII_HasItsSixRows()
    {
        Assert.That(PaperResults.Sizes, Is.EqualTo(new[] { (1, 4), (5, 4), (10, 4), (1, 8), (5, 8), (10, 8) }));
        Assert.That(PaperResults.Sizes.Select(sizes => PaperResults.OfSizes(PaperDataSet.RafDb, sizes.Subclasses,
            sizes.Tokens)!.War), Is.EqualTo(new[] { 90.91, 91.61, 91.36, 90.65, 91.20, 91.17 }));
        Assert.That(PaperResults.Sizes.Select(sizes => PaperResults.OfSizes(PaperDataSet.Ferv39k, sizes.Subclasses,
            sizes.Tokens)!.War), Is.EqualTo(new[] { 50.52, 51.34, 51.00, 50.86, 51.13, 51.50 }));
        Assert.That(PaperResults.OfSizes(PaperDataSet.Dfew, 10, 8), Is.Null);
        Assert.That(PaperResults.For(PaperDataSet.Dfew).Single(result => result.Method == "I3D-RGB").Note,
            Does.StartWith("as printed in the paper"));
    }

    private static ResultRow Row(string[] keys, ulong seed, double? war) => new(keys, seed)
    {
        War = war,
        Uar = war / 2,
        Seconds = war is null ? null : 60,
        TrainedParameters = war is null ? null : 1000,
        PaperWar = war is null ? null : 0.8465,
        Samples = war is null ? null : 3068,
        Extras = [war is null ? null : 0.75],
    };
}
