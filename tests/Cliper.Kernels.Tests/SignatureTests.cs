using System.Text.RegularExpressions;

namespace Cliper.Kernels.Tests;

/// <summary>
/// Holds the number of parameters of a signature. Left out are records, whose parameters are data with names, and
/// device code, because a kernel's parameters are what a launch passes.
/// </summary>
public sealed partial class SignatureTests
{
    private const int MaxParameters = 7;

    private const string InnerLoop = "an inner loop: pointers, strides and extents of a tile, which stay in registers";

    /// <summary>Signatures of src that may be longer, each with the reason.</summary>
    private static readonly Dictionary<string, string> LongSignatures = new(StringComparer.Ordinal)
    {
        ["src/Cliper.Kernels/Gpu/Cuda/CudaDriver.cs: cuLaunchKernel"] = "the driver's own signature",
        ["src/Cliper.Kernels/Operations/Attention/Attention.Cpu.cs: Multiply"] = InnerLoop,
        ["src/Cliper.Kernels/Operations/Gemm/CpuGemm.cs: ApplyEpilogue"] = InnerLoop,
        ["src/Cliper.Kernels/Operations/Gemm/CpuGemm.cs: RunTile"] = InnerLoop,
        ["src/Cliper.Kernels/Operations/Gemm/CpuGemm.cs: RunUnit"] = InnerLoop,
        ["src/Cliper.Kernels/Operations/Gemm/MicroKernel.cs: Run"] = InnerLoop,
        ["src/Cliper.Kernels/Operations/Gemm/MicroKernel.cs: Tile"] = InnerLoop,
        ["src/Cliper.Kernels/Operations/Gemm/Packing.cs: PackPanels"] = InnerLoop,
        ["src/Cliper.Kernels/Operations/LayerNorm/LayerNorm.Cpu.cs: BackwardRow"] = InnerLoop,
    };

    [Test]
    public void NoSignatureIsLongerThanTheLimit()
    {
        (string Name, string Place, int Count)[] found =
        [
            .. SourceHabitsTests.FilesOf("src", "*.cs").Where(file => !IsDeviceCode(SourceHabitsTests.Relative(file)))
                .SelectMany(file => LongOnes(File.ReadAllText(file)).Select(at =>
                    ($"{SourceHabitsTests.Relative(file)}: {at.Name}", SourceHabitsTests.Place(file, at.Line),
                        at.Count))),
        ];
        SourceHabitsTests.AssertNone(
        [
            .. found.Where(at => !LongSignatures.ContainsKey(at.Name))
                .Select(at => $"{at.Place}: {at.Count} parameters of {at.Name.Split(": ")[1]}, "
                    + $"expected at most {MaxParameters}: group what belongs together, or list it with the reason"),
            .. LongSignatures.Keys.Except(found.Select(at => at.Name))
                .Select(name => $"{name}: is no exception any more, remove it from the list"),
        ]);
    }

    [TestCase("void F(int a, int b, int c, int d, int e, int f, int g, int h) {", ExpectedResult = 8)]
    [TestCase("class F(int a, int b, int c, int d, int e, int f, int g, int h)", ExpectedResult = 8)]
    [TestCase("void F<T>(in A<B, C> a, (int, int) b, out T? c, int[] d, float* e,\n    // A, b.\n    ref int f, "
        + "params ReadOnlySpan<int> g, bool h = false);", ExpectedResult = 8)]
    [TestCase("void F(int a, int b, int c, int d, int e, int f, A<B, C> g)", ExpectedResult = 0)]
    [TestCase("record struct F(int a, int b, int c, int d, int e, int f, int g, int h)", ExpectedResult = 0)]
    [TestCase("F(a, b, c, out int d, e, f, new G(), h);", ExpectedResult = 0)]
    public int ParametersAreCounted(string source) => LongOnes(source).Select(at => at.Count).SingleOrDefault();

    // Device code stands in files of their own, which DeviceCodeTests holds.
    private static bool IsDeviceCode(string file) =>
        file.Contains("/Gpu/DeviceCode/", StringComparison.Ordinal)
        || Path.GetFileName(file).Contains(".Kernels.", StringComparison.Ordinal);

    private static IEnumerable<(string Name, int Line, int Count)> LongOnes(string source)
    {
        string text = CommentOrString().Replace(source, match => new string('\n', match.Value.Count(c => c == '\n')));
        foreach (Match opening in Opening().Matches(text))
        {
            string[] entries = Entries(text, opening.Index + opening.Length);
            if (entries.Length > MaxParameters && entries.All(entry => Parameter().IsMatch(entry))
                && !RecordBefore().IsMatch(text[..opening.Index]))
                yield return (opening.Groups[1].Value, text[..opening.Index].Count(c => c == '\n'), entries.Length);
        }
    }

    // The parts between commas, up to the parenthesis that closes the one before the start.
    private static string[] Entries(string text, int start)
    {
        List<string> entries = [];
        int depth = 0;
        for (int i = start, first = start; i < text.Length; i++)
        {
            if (depth == 0 && text[i] is ',' or ')')
            {
                entries.Add(text[first..i].Trim());
                first = i + 1;
                if (text[i] == ')')
                    break;
            }
            // The > of => and -> closes nothing.
            depth += text[i] switch
            {
                '(' or '[' or '{' or '<' => 1,
                '>' when text[i - 1] is '=' or '-' => 0,
                ')' or ']' or '}' or '>' => -1,
                _ => 0,
            };
        }
        return [.. entries];
    }

    [GeneratedRegex("//[^\n]*|/\\*.*?\\*/|\"\"\".*?\"\"\"|\"(?:\\\\.|[^\"\\\\\n])*\"|'(?:\\\\.|[^'\\\\])+'",
        RegexOptions.Singleline)]
    private static partial Regex CommentOrString();

    [GeneratedRegex(@"\b(\w+)(?:<[\w\s,]*>)?\(")]
    private static partial Regex Opening();

    // Attributes, modifiers, a type that ends like one, a name, a default.
    [GeneratedRegex(@"^(?:\[[^\]]*\]\s*)*(?:(?:this|in|ref|readonly|out|params|scoped)\s+)*[\w.(][\w.<>,?*()\[\]\s]*"
        + @"(?<=[\w>?*)\]])\s+\w+(?:\s*=.*)?$", RegexOptions.Singleline)]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\brecord\s+(?:struct\s+|class\s+)?$")]
    private static partial Regex RecordBefore();
}
