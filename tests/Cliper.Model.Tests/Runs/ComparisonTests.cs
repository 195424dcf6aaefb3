using Cliper.Kernels.Cpu;
using Cliper.Model.Inference;
using Cliper.Model.Reporting;
using Cliper.Model.Runs;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Runs;

/// <summary>Methods side by side on 12 pictures of noise: what their runs share, what an interruption leaves, and what
/// a method that fails does to the others.</summary>
public sealed class ComparisonTests : TemporaryFolder
{
    private static readonly TrainingMethod[] All = [.. TrainingMethods.Names.Select(TrainingMethods.Parse)];

    private const int BothSplits = 2, CopiesAndFaces = 2;

    private readonly CpuDevice _device = new(1);
    private readonly List<string> _told = [];

    [SetUp]
    public void WriteDataAndClip()
    {
        _told.Clear();
        TinyRun.WriteData(In("data"));
        TrainingRun.Pretrain(_device, TinyRun.Settings(In("data")), In("clip"), resume: false, overwrite: false,
            new Progress<TrainEvent>());
    }

    [OneTimeTearDown]
    public void EndDevice() => _device.Dispose();

    [Test]
    public void Run_Interrupted_GoesOnToTheSameTable()
    {
        SweepPlan plan = Plan(All, seeds: [1, 2]);
        ResultTable whole = Sweep.Run(_device, plan, In("whole"), new Progress(_ => { }));
        using (var source = new CancellationTokenSource())
            Assert.That(() => Sweep.Run(_device, plan, In("parts"), new Progress(told =>
            {
                if (told is MessageEvent { Text: var text } && text.Contains("cocoop-seed2", StringComparison.Ordinal))
                    source.CancelAfter(0);
            }), source.Token), Throws.InstanceOf<OperationCanceledException>());
        int before = File.ReadAllLines(In("parts/table.csv")).Length;
        ResultTable parts = Sweep.Run(_device, plan, In("parts"), new Progress(_ => { }));

        Assert.That(before, Is.EqualTo(1 + 5), "a line for each run that had ended");
        Assert.That(parts.Rows.Select(Figures), Is.EqualTo(whole.Rows.Select(Figures)));
        Assert.That(whole.Rows.Select(row => (row.Keys[0], row.Keys[1], row.Seed)), Is.EqualTo(
            All.SelectMany(method => new[] { (method.Name(), "0", 1UL), (method.Name(), "0", 2UL) })));
        Assert.That(whole.Rows.Select(row => row.TrainedParameters is > 0), Is.EqualTo(
            whole.Rows.Select(row => row.Keys[0] != "zero-shot")), "all but zero-shot train something");
        Assert.That(whole.Rows.Single(row => row is { Keys: ["linear-probe", ..], Seed: 1 }).TrainedParameters,
            Is.EqualTo(2 * 16 + 2), "K D weights and K biases");
    }

    [Test]
    public void Run_FrozenTower_ComputesFeaturesOnce()
    {
        var shared = new SharedWork(_device);
        Sweep.Run(shared, Plan(All, seeds: [1, 2]), In("first"), Listening());
        int kept = shared.Count;
        Sweep.Run(shared, Plan(All, seeds: [3]), In("again"), Listening());

        Assert.That(kept, Is.EqualTo(BothSplits + CopiesAndFaces), "what 14 runs have computed");
        Assert.That(shared.Count, Is.EqualTo(kept), "another seed finds all of it");
    }

    [Test]
    public void Run_ChangedPictureOrWeights_ComputesFeaturesAgain()
    {
        var shared = new SharedWork(_device);
        SweepPlan plan = Plan([TrainingMethod.LinearProbe]);
        Sweep.Run(shared, plan, In("first"), Listening());
        int first = shared.Count;
        File.SetLastWriteTimeUtc(In("data/train/happy/0.png"), new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Sweep.Run(shared, plan, In("picture"), Listening());
        int afterPicture = shared.Count;
        TrainingRun.Pretrain(_device, TinyRun.Settings(In("data"), seed: 2), In("clip"), resume: false, overwrite: true,
            new Progress<TrainEvent>());
        Sweep.Run(shared, plan, In("weights"), Listening());

        Assert.That(first, Is.EqualTo(BothSplits + CopiesAndFaces));
        Assert.That(afterPicture, Is.EqualTo(first + 1 + CopiesAndFaces), "features of the training split alone");
        Assert.That(shared.Count, Is.EqualTo(afterPicture + BothSplits), "features of both splits, and no more");
    }

    [Test]
    public void Run_MethodThatFails_IsNamedAndTheOthersAreMade()
    {
        SweepPlan plan = SweepPlan.OfMethods(method => Settings(method) with
        {
            Coop = method == TrainingMethod.Coop ? new CoOpSettings { Words = "unpronounceable" }
                : new CoOpSettings(),
        }, [TrainingMethod.Coop, TrainingMethod.ZeroShot], [2, 0], []);
        ResultTable table = Sweep.Run(_device, plan, In("table"), Listening());

        Assert.That(plan.Cells.Select(cell => cell.Name), Is.EqualTo(new[] { "coop-shots2", "coop-shots0",
            "zero-shot-shots2", "zero-shot-shots0" }));
        Assert.That(table.Rows.Select(row => row.War is not null), Is.EqualTo(new[] { false, false, true, true }));
        Assert.That(table.Rows[0].Failure, Does.Contain("coop.words: \"unpronounceable\" is"));
        Assert.That(_told, Has.Some.Contains("coop-shots2").And.Contains("unpronounceable"));
        Assert.That(table.ToMarkdown(), Does.Contain("coop, 2, seed 1: coop.words"));
        Assert.That(() => Sweep.Run(_device, Plan([TrainingMethod.Coop], words: "unpronounceable"), In("none"),
            Listening()), Throws.InstanceOf<SettingsException>(), "where nothing succeeds it is an error");
    }

    private static (double?, double?, long?) Figures(ResultRow row) => (row.War, row.Uar, row.TrainedParameters);

    private SweepPlan Plan(IReadOnlyList<TrainingMethod> methods, IReadOnlyList<ulong>? seeds = null,
        string words = "") => SweepPlan.OfMethods(method => Settings(method) with
        {
            Coop = new CoOpSettings { Words = words },
        }, methods, [], seeds ?? []);

    private TrainSettings Settings(TrainingMethod method)
    {
        TrainSettings settings = MethodDefaults.Over(TinyRun.Settings(In("data")), method) with
        {
            Pretrain = new StageSettings(),
            Weights = In("clip/clip.safetensors"),
            Features = FeatureSource.Cached,
        };
        return settings with { Stage1 = Short(settings.Stage1), Stage2 = Short(settings.Stage2) };

        static StageSettings Short(StageSettings stage) =>
            stage.Epochs == 0 ? stage : stage with { Epochs = 2, BatchSize = 4, Augmentation = "none" };
    }

    private Progress Listening() => new(told =>
    {
        if (told is MessageEvent message)
            _told.Add(message.Text);
    });

    /// <summary>Told at once, on the thread that reports.</summary>
    private sealed class Progress(Action<TrainEvent> told) : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value) => told(value);
    }
}
