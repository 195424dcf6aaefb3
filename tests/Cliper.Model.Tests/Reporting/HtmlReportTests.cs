using System.Text.RegularExpressions;
using Cliper.Model.Images;
using Cliper.Model.Interpretation;
using Cliper.Model.Metrics;
using Cliper.Model.Reporting;

namespace Cliper.Model.Tests.Reporting;

public class HtmlReportTests
{
    private const string Hostile = "<script>alert('x')</script>\"&' onload=\"y";

    private static ReportModel Model(string name)
    {
        var result = new ConfusionMatrix(["joy", name]);
        result.Add(0, 0, 3);
        result.Add(0, 1);
        var image = new ReportImage(name, new RgbImage(200, 100, new byte[200 * 100 * 3]));
        return new ReportModel
        {
            Title = name,
            Subtitle = name,
            Created = DateTimeOffset.UnixEpoch,
            SplitName = name,
            Result = result,
            Baselines = [new ReportBaseline(name, result)],
            Notes = [new ReportNote(name), new ReportNote("chosen on test", Warning: true)],
            History = [.. Enumerable.Range(1, 1000).Select(step => new MetricRow
            {
                Event = MetricRow.StepEvent, Stage = TrainingStage.Stage1, Step = step, Epoch = 1, Loss = step % 10 == 0
                    ? double.NaN
                    : 1.0 / step,
            })],
            Settings = [new(name, name)],
            Paper = PaperDataSet.RafDb,
            Descriptors = [new ReportDescriptor(name, 1, [Words(name)], 5, 3, [new ReportExample(image, null),
                new ReportExample(image, name)]) { Share = 1, MedianMargin = 0.25 },
                new ReportDescriptor(name, 2, [], 0, 0, [])],
            Mistakes = [new ReportMistake(image, name, name, 0.75)],
        };
    }

    private static TokenWords Words(string name) => new(0, 0, 0, [new NearestWord(0, name, 1.25f)], [])
    {
        Norm = 1,
        MeanDistance = 2,
        RandomDistance = 1.5f,
    };

    [Test]
    public void WhatIsLeftOutOfTheMistakesIsSaid()
    {
        var result = new ConfusionMatrix(["joy", "fear"]);
        result.Add(0, 1, 1228);
        string page = HtmlReport.Render(Model("fear") with { Result = result });
        Assert.That(page, Does.Contain("Shown are 1 of 1,228."));
        Assert.That(HtmlReport.Render(Model("fear")), Does.Not.Contain("Shown are"), "the only one is shown");
        Assert.That(page, Does.Contain("5, 3 right"));
    }

    [Test]
    public void HostileNamesStayText()
    {
        string page = HtmlReport.Render(Model(Hostile));
        Assert.That(page, Does.Not.Contain("<script").And.Not.Contain("onload=\"y"));
        Assert.That(page,
            Does.Contain("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;&#39; onload=&quot;y"));
    }

    /// <summary>The page is well-formed whatever the names are: every tag that is opened is closed, in order.</summary>
    [Test]
    public void TagsMatch([Values("fear", Hostile)] string name)
    {
        string[] alone = ["meta", "img", "line", "path", "circle", "i"];
        var open = new Stack<string>();
        string page = Regex.Replace(HtmlReport.Render(Model(name)), "<style>.*?</style>|<!doctype html>", "",
            RegexOptions.Singleline);
        foreach (Match tag in Regex.Matches(page, @"<(/?)([a-z0-9]+)(?:\s[^<>]*?)?>"))
        {
            string element = tag.Groups[2].Value;
            if (tag.Groups[1].Length > 0)
                Assert.That(open.Pop(), Is.EqualTo(element));
            else if (!tag.Value.EndsWith("/>", StringComparison.Ordinal)
                && (!alone.Contains(element) || element == "i"))
                open.Push(element);
        }
        Assert.That(open, Is.Empty);
    }

    [Test]
    public void NothingIsLoadedFromElsewhere()
    {
        string page = HtmlReport.Render(Model("fear"));
        Assert.That(page, Does.Not.Match("""(src|href)="(?!data:)"""));
        Assert.That(page, Does.Not.Contain("url(").And.Not.Contain("@import").And.Not.Contain("http"));
    }

    [Test]
    public void TheNumbersAreThere()
    {
        string page = HtmlReport.Render(Model("fear"));
        Assert.That(page, Does.Contain("<b>75.00 %</b>"), "WAR 3 of 4");
        Assert.That(page, Does.Contain("title=\"joy predicted as fear\">1<small>25.0 %</small>"));
        Assert.That(page, Does.Contain("91.61 %"), "CLIPER on RAF-DB");
        Assert.That(page, Does.Contain("<li class=\"warning\">chosen on test</li>"));
        Assert.That(page, Does.Contain("1.25"), "distance of the nearest word");
        Assert.That(page, Does.Not.Contain("NaN"));
    }

    [Test]
    public void WithoutResultsThePageStillStands()
    {
        string page = HtmlReport.Render(new ReportModel
        {
            Title = "empty",
            Created = DateTimeOffset.UnixEpoch,
            SplitName = "test",
            Result = new ConfusionMatrix(["joy"]),
        });
        Assert.That(page, Does.Contain("<b>–</b>").And.Not.Contain("Training").And.Not.Contain("NaN"));
    }

    [TestCase(0, 1, 4, new[] { 0, 0.25, 0.5, 0.75, 1 })]
    [TestCase(0.13, 0.88, 4, new[] { 0, 0.2, 0.4, 0.6, 0.8, 1 })]
    [TestCase(5, 5, 4, new[] { 4.5, 4.75, 5, 5.25, 5.5 })]
    public void TicksAreRoundAndReachAroundTheValues(double low, double high, int intervals, double[] expected) =>
        Assert.That(LineChart.Ticks(low, high, intervals), Is.EqualTo(expected).Within(1e-12));

    [TestCase(0.01, "0.0025")]
    [TestCase(5e-6, "2e-6")]
    [TestCase(3000, "1,000")]
    public void TickLabelsAreNotRounded(double high, string label)
    {
        Html chart = LineChart.Draw("t", "x", [new LineChart.Curve("c", [(1, 0), (2, high)])]);
        Assert.That(chart.ToString(), Does.Contain($">{label}</text>"));
    }

    [Test]
    public void EpochsHaveWholeTicks() =>
        Assert.That(LineChart.Ticks(1, 12, 5, whole: true), Is.EqualTo(new double[] { 0, 3, 6, 9, 12 }));

    [Test]
    public void PublishedNumbersAreSortedAndOfTheirDataSet()
    {
        IReadOnlyList<PaperResult> video = PaperResults.For(PaperDataSet.Afew);
        Assert.That(video[0], Is.EqualTo(new PaperResult("CLIPER", true, 52.00, 56.43)));
        Assert.That(video.Select(row => row.War), Is.Ordered.Descending);
        Assert.That(video.Select(row => row.Method), Does.Contain("EC-STFL").And.Not.Contain("TransFER"));
        Assert.That(Enum.GetValues<PaperDataSet>().Select(set => PaperResults.For(set).Count),
            Is.EqualTo(new[] { 22, 10, 6, 17, 9, 9 }));
    }
}
