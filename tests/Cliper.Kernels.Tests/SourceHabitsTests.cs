using System.Reflection;
using System.Text.RegularExpressions;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Tests;

/// <summary>Holds the habits of the source text: lengths, comments, spelling and names.</summary>
public sealed partial class SourceHabitsTests
{
    private const int MaxColumns = 120, MaxLines = 300;

    private static readonly string Root = FindRoot();

    private static readonly string[] Sources =
        [.. FilesOf("src", "*.cs"), .. FilesOf("tests", "*.cs"), .. FilesOf("benchmarks", "*.cs")];

    private static readonly string[] Documents =
        [.. Directory.EnumerateFiles(Root, "*.md"), .. FilesOf("docs", "*.md"), .. FilesOf("src", "*.md"),
            .. FilesOf("tests", "*.md"), .. FilesOf("benchmarks", "*.md")];

    /// <summary>Quotes that keep their own spelling: names of others, and text that files have.</summary>
    private static readonly string[] ForeignSpelling =
    [
        // The vocabulary of the shipped weights was built from captions with this word.
        "\"grey\"",
    ];

    /// <remarks>
    /// The text of a raw string literal may be longer: a line of HTML, JSON or PTX is broken only where its own format
    /// allows it. Other literals are broken like any expression.
    /// </remarks>
    [Test]
    public void NoLineIsLongerThanTheLimit() => AssertNone(Sources.SelectMany(file => LinesOutsideRawLiterals(file)
        .Where(at => RawLiteral().Replace(at.line, "").Length > MaxColumns)
        .Select(at => $"{Place(file, at.index)}: {at.line.Length} columns, expected at most {MaxColumns}")));

    [Test]
    public void NoSourceFileIsLongerThanTheLimit() => AssertNone(FilesOf("src", "*.cs")
        .Select(file => (Name: Relative(file), Lines: File.ReadLines(file).Count()))
        .Where(file => file.Lines > MaxLines)
        .Select(file => $"{file.Name}: {file.Lines} lines, expected at most {MaxLines}"));

    [Test]
    public void NoCommentBeginsWithAFragment() => AssertNone(Sources.SelectMany(file => File.ReadLines(file)
        .Select((line, index) => (line, index))
        .Where(at => FragmentComment().IsMatch(at.line) && !ContinuesSentence(file, at.index))
        .Select(at => $"{Place(file, at.index)}: '{at.line.Trim()}', expected a sentence with a subject and a verb")));

    [Test]
    public void SpellingIsAmerican() => AssertNone(Sources.Concat(Documents).Where(file => !IsThisFile(file))
        .SelectMany(file => File.ReadLines(file).Select((line, index) => (line, index))
            .SelectMany(at => BritishWord().Matches(WithoutQuotes(at.line))
                .Select(word => $"{Place(file, at.index)}: '{word.Value}', expected the American spelling"))));

    [Test]
    public void NoTwoTypesHaveOneName()
    {
        var types = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        foreach (string file in FilesOf("src", "*.cs"))
        {
            string text = File.ReadAllText(file);
            string space = NamespaceDeclaration().Match(text).Groups[1].Value;
            foreach (Match type in TopLevelType().Matches(text))
            {
                string arity = type.Groups[2].Success ? $"`{type.Groups[2].Value.Count(c => c == ',') + 1}" : "";
                string name = type.Groups[1].Value;
                if (!types.TryGetValue(name, out HashSet<string>? found))
                    types.Add(name, found = []);
                found.Add($"{space}.{name}{arity}");
            }
        }
        Assert.That(types, Does.ContainKey(nameof(DeviceArray)), "types are found");
        AssertNone(types.Where(type => type.Value.Count > 1)
            .Select(type => $"{type.Key}: {string.Join(" and ", type.Value.Order(StringComparer.Ordinal))}"));
    }

    // The lines of a file that are code: not those between the quotes of a raw literal of several lines.
    private static IEnumerable<(string line, int index)> LinesOutsideRawLiterals(string file)
    {
        bool isRaw = false;
        int index = 0;
        foreach (string line in File.ReadLines(file))
        {
            bool opensOrCloses = Regex.Count(line, "\"\"\"") % 2 == 1;
            if (!isRaw && !opensOrCloses)
                yield return (line, index);
            isRaw ^= opensOrCloses;
            index++;
        }
    }

    internal static void AssertNone(IEnumerable<string> violations)
    {
        string[] all = [.. violations];
        if (all.Length > 0)
            Assert.Fail($"{all.Length} violations:\n{string.Join('\n', all)}");
    }

    // A comment line that follows an unfinished one may begin with any word.
    private static bool ContinuesSentence(string file, int line)
    {
        if (line == 0)
            return false;
        string before = File.ReadLines(file).ElementAt(line - 1).TrimStart();
        return before.StartsWith("//", StringComparison.Ordinal)
            && !before.EndsWith('.') && !before.EndsWith('>') && before.TrimEnd('/').Length > 0;
    }

    private static string WithoutQuotes(string line) =>
        ForeignSpelling.Aggregate(line, (rest, quote) => rest.Replace(quote, "", StringComparison.Ordinal));

    private static bool IsThisFile(string file) => Path.GetFileName(file) == $"{nameof(SourceHabitsTests)}.cs";

    internal static IEnumerable<string> FilesOf(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Where(file => !Relative(file).Split('/').Any(part => part is "bin" or "obj"))
            .Order(StringComparer.Ordinal);

    internal static string Relative(string file) => Path.GetRelativePath(Root, file).Replace('\\', '/');

    internal static string Place(string file, int line) => $"{Relative(file)}:{line + 1}";

    private static string FindRoot()
    {
        string? folder = Path.GetDirectoryName(Assembly.GetExecutingAssembly().Location);
        while (folder is not null && !File.Exists(Path.Combine(folder, "Directory.Build.props")))
            folder = Path.GetDirectoryName(folder);
        return folder ?? throw new DirectoryNotFoundException("the tests do not lie below the repository's root");
    }

    [GeneratedRegex(@"^\s*//+\s*(<(summary|remarks|param|returns|value|exception|typeparam)\b[^>]*>\s*)?"
        + "(What|Of|As) ")]
    private static partial Regex FragmentComment();

    [GeneratedRegex(@"\w*(colour|grey|normalis|initialis|optimis|behaviour|centre|neighbour|catalogue|labelled|recognis"
        + @"|minimis|synchronis|favour|analyse|licence)\w*", RegexOptions.IgnoreCase)]
    private static partial Regex BritishWord();

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex NamespaceDeclaration();

    [GeneratedRegex("\"\"\".*?\"\"\"")]
    private static partial Regex RawLiteral();

    [GeneratedRegex(@"^(?:(?:public|internal|file|static|sealed|abstract|partial|readonly|ref|unsafe) )*"
        + @"(?:class|struct|interface|enum|record struct|record class|record) (\w+)(?:<([^>]*)>)?",
        RegexOptions.Multiline)]
    private static partial Regex TopLevelType();
}
