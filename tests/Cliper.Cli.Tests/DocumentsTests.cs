using System.Text.RegularExpressions;

namespace Cliper.Cli.Tests;

/// <summary>
/// Checks the Markdown files of the repository: links, paths, methods, line lengths, and that the GPU's status
/// stands once.
/// </summary>
public sealed partial class DocumentsTests
{
    private const int MostColumns = 120;

    // Its paths are those of an operation that does not exist.
    private const string Recipe = "docs/adding-an-operation.md";

    private static readonly string[] Ignored = ["bin", "obj", "results", "TestResults"];

    private static IEnumerable<string> Documents() => Directory
        .EnumerateFiles(Checkout.Root, "*.md", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(Checkout.Root, path).Replace('\\', '/'))
        .Where(path => !path.Split('/').Any(part => part.StartsWith('.') || Ignored.Contains(part)))
        .Order(StringComparer.Ordinal);

    [TestCaseSource(nameof(Documents))]
    public void EveryRelativeLink_LeadsToAFileAndAHeading(string document)
    {
        Assert.Multiple(() =>
        {
            foreach (Match link in Link().Matches(Prose(document)))
            {
                string[] parts = link.Groups["target"].Value.Split('#');
                if (parts[0].Contains("://", StringComparison.Ordinal))
                    continue;
                string target = parts[0].Length == 0
                    ? InRoot(document)
                    : Path.Combine(Path.GetDirectoryName(InRoot(document))!, parts[0]);
                Assert.That(File.Exists(target) || Directory.Exists(target),
                    $"{document}: no file behind {link.Value}");
                if (parts.Length > 1 && File.Exists(target))
                    Assert.That(Anchors(File.ReadAllText(target)), Does.Contain(parts[1]),
                        $"{document}: no heading behind {link.Value}");
            }
        });
    }

    [TestCaseSource(nameof(Documents))]
    public void EveryLine_HasAtMost120Columns_TablesAndCodeExcepted(string document) => Assert.That(
        Prose(document).Split('\n').Where(line => line.Length > MostColumns && !line.StartsWith('|')
            && !line.Contains("://", StringComparison.Ordinal)), Is.Empty, document);

    [TestCaseSource(nameof(Documents))]
    public void EveryPathInBackticks_Exists(string document)
    {
        if (document == Recipe)
            return;
        Assert.That(RepositoryPath().Matches(Prose(document)).Select(path => path.Groups["path"].Value)
            .Where(path => !File.Exists(InRoot(path)) && !Directory.Exists(InRoot(path))), Is.Empty, document);
    }

    /// <summary>A row of a hop list names a file and methods, which the file has to contain.</summary>
    [Test]
    public void EveryHop_NamesMethodsOfItsFile()
    {
        MatchCollection hops = Hop().Matches(File.ReadAllText(InRoot("docs/architecture.md")));

        Assert.That(hops, Has.Count.GreaterThan(20));
        Assert.Multiple(() =>
        {
            foreach (Match hop in hops)
            {
                string file = hop.Groups["file"].Value, source = File.ReadAllText(InRoot(file));
                foreach (string method in Code().Matches(hop.Groups["methods"].Value)
                    .Select(code => code.Groups["code"].Value))
                    Assert.That(Regex.IsMatch(source, $@"\b{method}\b[<(]"),
                        $"hop {hop.Value} but {file} has no {method}");
            }
        });
    }

    /// <summary>A walk that comes back to a file shows where the code turns back.</summary>
    [TestCase("One image, from its file to its gradient", 13)]
    [TestCase("One launch, from the tape to the driver", 8)]
    public void AHopList_EntersNoFileTwice(string heading, int most)
    {
        string section = File.ReadAllText(InRoot("docs/architecture.md")).Split("\n## ")
            .Single(text => text.StartsWith(heading, StringComparison.Ordinal));
        string[] files = [.. Hop().Matches(section).Select(hop => hop.Groups["file"].Value)];

        Assert.That(files, Is.Unique.And.Length.InRange(2, most));
    }

    [Test]
    public void TheStatusOfTheGpu_StandsOnce() => Assert.That(
        Documents().SelectMany(document => Status().Matches(File.ReadAllText(InRoot(document))).Select(_ => document)),
        Is.EqualTo(["docs/kernels.md"]));

    private static string InRoot(string path) => Path.Combine(Checkout.Root, path);

    /// <summary>A document without its fenced code, whose lines are commands.</summary>
    private static string Prose(string document) =>
        Fence().Replace(File.ReadAllText(InRoot(document)).ReplaceLineEndings("\n"), "");

    /// <summary>The anchors that hosting sites give to headings: lower case, hyphens, no punctuation.</summary>
    private static IEnumerable<string> Anchors(string text) => Heading().Matches(text.ReplaceLineEndings("\n"))
        .Select(heading => Punctuation().Replace(heading.Groups["title"].Value.ToLowerInvariant(), "")
            .Replace(' ', '-'));

    [GeneratedRegex(@"\[[^\]]*\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"`(?<path>(src|docs|tests|benchmarks|weights-tools|eng)/[\w./+-]+)`")]
    private static partial Regex RepositoryPath();

    [GeneratedRegex(@"^\| \d+ \| `(?<file>src/[\w./]+\.cs)` \| (?<methods>[^|]+) \|", RegexOptions.Multiline)]
    private static partial Regex Hop();

    [GeneratedRegex(@"`(?<code>\w+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"not\s+(yet\s+)?run\s+on\s+a\s+GPU", RegexOptions.IgnoreCase)]
    private static partial Regex Status();

    [GeneratedRegex(@"^\s*```.*?^\s*```[^\n]*\n?", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^#+ (?<title>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\s-]")]
    private static partial Regex Punctuation();
}
