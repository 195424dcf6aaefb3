using Cliper.Kernels.Cpu;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>
/// Tensors made with another program, by name: in tests/golden, in ../shared/golden where that is there, and in the
/// folder that CLIPER_GOLDEN names. weights-tools/README.md says what the files hold.
/// </summary>
/// <param name="Folder">Where it is.</param>
/// <param name="Name">The NAME in clip_NAME.weights.safetensors.</param>
public sealed record GoldenSet(string Folder, string Name)
{
    public const string Variable = "CLIPER_GOLDEN";

    private const string Ending = ".safetensors", ClipPrefix = "clip_", WeightsEnding = ".weights" + Ending,
        ActivationsEnding = ".activations" + Ending, LossPrefix = "cliper_loss_", TrainPrefix = "cliper_train_";

    /// <summary>How the names of sets of a CLIP with a ResNet begin.</summary>
    private const string ResNetMark = "rn_";

    /// <summary>Sets of a CLIP with its activations; half of a pair is a set too, which fails.</summary>
    public static IEnumerable<TestCaseData> Clip => Cases(ClipPrefix, WeightsEnding, ActivationsEnding)
        .Where(set => !IsResNet(set));

    /// <summary>The same of CLIPs with a ResNet.</summary>
    public static IEnumerable<TestCaseData> ResNet => Cases(ClipPrefix, WeightsEnding, ActivationsEnding)
        .Where(IsResNet);

    /// <summary>Sets of losses.</summary>
    public static IEnumerable<TestCaseData> Losses => Cases(LossPrefix, Ending);

    /// <summary>Sets of training steps.</summary>
    public static IEnumerable<TestCaseData> Training => Cases(TrainPrefix, Ending).Where(set => !IsResNet(set));

    /// <summary>Sets of training steps of CLIPs with a ResNet.</summary>
    public static IEnumerable<TestCaseData> ResNetTraining => Cases(TrainPrefix, Ending).Where(IsResNet);

    /// <summary>Sets of CoOp, CoCoOp, the linear probe or full fine-tuning.</summary>
    /// <param name="prefix">How their names begin, such as "coop_".</param>
    public static IEnumerable<TestCaseData> OfMethod(string prefix) => Cases(prefix, Ending);

    /// <summary>Files of one name, such as tokenizer.json.</summary>
    public static IEnumerable<TestCaseData> Files(string name) => Folders
        .Where(folder => Entries(folder, name).Any()).Select(folder => Case(new GoldenSet(folder, name), ""));

    /// <summary>The folder that the environment names; null if it names none.</summary>
    public static string? NamedFolder => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } folder
        ? folder : null;

    private static IEnumerable<string> Folders => new[]
    {
        Path.Combine(SharedFiles.Root, "tests", "golden"), Path.Combine(SharedFiles.Root, "..", "shared", "golden"),
            NamedFolder,
    }.OfType<string>().Where(Directory.Exists).Select(Path.GetFullPath).Distinct();

    public TensorSource OpenWeights() => Open(ClipPrefix, WeightsEnding);

    public TensorSource OpenActivations() => Open(ClipPrefix, ActivationsEnding);

    public TensorSource OpenLosses() => Open(LossPrefix, Ending);

    public TensorSource OpenTraining() => Open(TrainPrefix, Ending);

    /// <summary>A set of a method.</summary>
    public TensorSource OpenMethod(string prefix) => Open(prefix, Ending);

    /// <summary>The CLIP of a method's set, which may lie in another of the folders.</summary>
    public ClipWeights LoadMethodWeights()
    {
        string file = ClipPrefix + Name + WeightsEnding;
        string? path = Folders.Prepend(Folder).Select(folder => Path.Combine(folder, file)).FirstOrDefault(File.Exists);
        if (path is null)
            Assert.Ignore($"needs {file} in {Folder} or in the folder that {Variable} names");
        return ClipWeights.Load(path!);
    }

    /// <summary>The CLIP of the set, also a training set's.</summary>
    public ClipWeights LoadWeights() => ClipWeights.Load(Path.Combine(Folder, ClipPrefix + Name + WeightsEnding));

    /// <summary>Ends the test as failed if a value is further from the expected one than the bound, and notes the
    /// largest distance.</summary>
    public static void AssertClose(float[] actual, float[] expected, double bound, string what)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length), what);
        double worst = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = Math.Abs((double)actual[i] - expected[i]);
            // Not the larger of the two: NaN must not be lost.
            worst = difference <= worst ? worst : difference;
        }
        TestContext.Out.WriteLine($"{what}: {worst:E1}, bound {bound:E1}");
        Assert.That(worst, Is.LessThanOrEqualTo(bound), what);
    }

    /// <summary>Like <see cref="AssertClose(float[], float[], double, string)"/>, the bound relative to the largest
    /// expected entry.</summary>
    public static void AssertRelativelyClose(float[] actual, float[] expected, double bound, string what) =>
        AssertClose(actual, expected, bound * expected.Max(value => Math.Abs((double)value)), what);

    private static bool IsResNet(TestCaseData set) =>
        ((GoldenSet)set.Arguments[0]!).Name.StartsWith(ResNetMark, StringComparison.Ordinal);

    private TensorSource Open(string prefix, string ending) =>
        TensorSource.Open(Path.Combine(Folder, prefix + Name + ending));

    private static IEnumerable<TestCaseData> Cases(string prefix, params string[] endings)
    {
        foreach (string folder in Folders)
            foreach (string name in Names(folder, prefix, endings))
                yield return Case(new GoldenSet(folder, name), prefix);
    }

    /// <summary>Names of the sets in a folder of which at least one part is there, readable or not.</summary>
    internal static IEnumerable<string> Names(string folder, string prefix, params string[] endings) =>
        Entries(folder, prefix + "*")
        .SelectMany(file => endings.Where(ending => file.EndsWith(ending, StringComparison.Ordinal))
            .Select(ending => file[prefix.Length..^ending.Length])).Distinct().Order(StringComparer.Ordinal);

    // Not files alone: a folder, or a link that leads nowhere, in a set's place must fail and not be passed over.
    private static IEnumerable<string> Entries(string folder, string pattern) =>
        Directory.GetFileSystemEntries(folder, pattern).Select(path => Path.GetFileName(path));

    private static TestCaseData Case(GoldenSet set, string prefix) => new TestCaseData(set)
        .SetArgDisplayNames($"{prefix}{set.Name} in {Path.GetRelativePath(SharedFiles.Root, set.Folder)}");
}

/// <summary>The base of the tests on golden tensors: their category, and a device on which nothing may be
/// left.</summary>
[Category("Golden")]
public abstract class GoldenTests
{
    protected CpuDevice Device { get; private set; } = null!;

    [SetUp]
    public void MakeDevice() => Device = new CpuDevice();

    [TearDown]
    public void NothingIsLeft()
    {
        long left = Device.LiveBytes;
        Device.Dispose();
        Assert.That(left, Is.Zero, "bytes left on the device");
    }
}
