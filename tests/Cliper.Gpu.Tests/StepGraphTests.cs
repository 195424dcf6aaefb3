using System.Runtime.InteropServices;
using Cliper.Autograd;
using Cliper.Kernels;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model;
using Cliper.Model.Clip;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Tests.Data;
using Cliper.Model.Weights;
using PtxInterpreter;

namespace Cliper.Gpu.Tests;

/// <summary>
/// Steps as graphs, without a card: what is decided, and that a phase whose steps are replayed from recordings of
/// earlier ones, with the addresses and numbers of then, learns the same bits as one whose steps are launched.
/// </summary>
[Parallelizable(ParallelScope.All)]
public sealed class StepGraphTests
{
    private static readonly GpuKernel Kernel = KernelRegistry.All[0];

    [Test]
    public void WorkIsCapturedWhenItComesAgainAndReplayedFromThenOn()
    {
        using var log = new Log();
        for (int step = 0; step < 4; step++)
            log.Graphs.Submit(Work(1));

        Assert.That(log.Lines, Is.EqualTo(new[] { "launch", "capture 1", "replay 1", "replay 1", "replay 1" }));
        Assert.That(log.Graphs.Counts, Is.EqualTo((1, 1, 3)));
    }

    [Test]
    public void WorkOfAnotherShapeHasAGraphOfItsOwn()
    {
        using var log = new Log();
        foreach (int number in new[] { 1, 1, 2, 1, 2, 2 })
            log.Graphs.Submit(Work(number));

        Assert.That(log.Lines, Is.EqualTo(new[]
        {
            "launch", "capture 1", "replay 1", "launch", "replay 1", "capture 2", "replay 2", "replay 2",
        }));
    }

    [Test]
    public void AnythingElseInTheWorkIsOtherWork()
    {
        CommandList work = Work(1), longer = Work(1);
        longer.Add(Copy(1, 2, 3), []);
        CommandList[] others = [longer, Work(2), With(Launch(2), 1), With(Copy(1, 2, 3)), With(Copy(2, 2, 3)),
            With(Copy(1, 3, 3)), With(Copy(1, 2, 4))];

        Assert.That(work, Is.EqualTo(Work(1)));
        Assert.That((CommandList[])[work, .. others], Is.Unique);

        static CommandList With(CommandList.Command entry, byte argument = 0)
        {
            var list = new CommandList();
            list.Add(entry, entry.Kernel is null ? [] : [argument, 0, 0, 0]);
            return list;
        }
    }

    [Test]
    public void ARefusedCaptureIsTheLast()
    {
        using var log = new Log { Refuses = 2 };
        foreach (int number in new[] { 1, 1, 2, 2, 1, 1 })
            log.Graphs.Submit(Work(number));

        Assert.That(log.Lines, Is.EqualTo(new[] { "launch", "capture 1", "replay 1", "launch", "refused", "end 1",
            "launch", "launch", "launch" }));
        Assert.That(log.Graphs.AreTaken, Is.False);
    }

    [Test]
    public void TheGraphUsedLeastRecentlyIsEnded()
    {
        using var log = new Log();
        foreach (int number in (int[])[1, 1, .. Enumerable.Range(2, CudaGraphCache.Capacity), 1])
            log.Graphs.Submit(Work(number));

        Assert.That(log.Lines.Count(line => line == "end 1"), Is.EqualTo(1));
        Assert.That(log.Lines[^1], Is.EqualTo("launch"));
        log.Graphs.Clear();
        Assert.That(log.Lines[^CudaGraphCache.Capacity..], Has.All.StartsWith("end"));
    }

    /// <remarks>
    /// The learning rate, the optimizer's counts, pixels and labels change in every step, the loss scale in the first
    /// ones (gradients overflow). Were one of them a launch's argument, the work would be new in each step, and none
    /// would be replayed.
    /// </remarks>
    [TestCase(1, 1)]
    [TestCase(2, 1)]
    [TestCase(2, 2)]
    [Category("Cuda")]
    public void APhaseThatIsReplayedLearnsTheSameBits(int stage, int accumulate)
    {
        if (Card.IsAskedFor && Environment.GetEnvironmentVariable("CLIPER_CUDA_SYNC") == "1")
            Assert.Ignore("with CLIPER_CUDA_SYNC=1 a card makes no graphs");
        Outcome launched = Train(stage, accumulate, graphs: false), replayed = Train(stage, accumulate, graphs: true);

        Assert.That(replayed.Steps, Is.EqualTo(launched.Steps));
        foreach ((string name, float[] values) in launched.Parameters)
            Assert.That(MemoryMarshal.AsBytes(replayed.Parameters[name].AsSpan())
                .SequenceEqual(MemoryMarshal.AsBytes(values.AsSpan())), name);
        Assert.That(launched.Counts, Is.EqualTo((0, 0, 0)));
        // Three epochs of batches of 2, 2 and 1. The first step makes moments and copies, so that the second finds
        // other addresses.
        TestContext.Out.WriteLine($"launched, captured, replayed: {replayed.Counts}");
        Assert.That(replayed.Counts.Replayed, Is.GreaterThanOrEqualTo(accumulate == 1 ? 4 : 3),
            "steps that come again");
        Assert.That(replayed.Counts.Launched + replayed.Counts.Replayed, Is.EqualTo(9));
    }

    private sealed record Outcome(List<StepEvent> Steps, Dictionary<string, float[]> Parameters,
        (int Launched, int Captured, int Replayed) Counts);

    private static Outcome Train(int stage, int accumulate, bool graphs)
    {
        using GpuDevice device = Card.IsAskedFor ? Card.Open(graphs: graphs)
            : new InterpretedDevice { Graphs = graphs };
        using ClipWeights weights = ClipWeights.Random(BenchmarkTests.Config, seed: 1);
        int[] prompt = [14, 1, 2, 3, 3, 4, 15];
        using var model = new CliperModel(new ClipModel(device, weights),
            Metd.Random(device, 2, 2, BenchmarkTests.Config.TextWidth, new DescriptorPrompt(prompt, 3, 2), seed: 1),
            ["a", "b"]);
        model.Clip.Parameters.Train(name => stage == 2 && ClipModel.IsVision(name));
        ((Metd)model.Prompts).Vectors.RequiresGrad = stage == 1;
        (string Name, Tensor Tensor)[] trained = stage == 1
            ? [(Metd.ParameterName, ((Metd)model.Prompts).Vectors)]
            : [.. model.Clip.Parameters.StartingWith().Where(parameter => parameter.Tensor.RequiresGrad)];
        var settings = new StageSettings
        {
            Epochs = 3,
            BatchSize = 2,
            Accumulate = accumulate,
            LearningRate = 1e-2f,
            MaxGradientNorm = 1,
            Schedule = ScheduleKind.Cosine,
        };
        using var loader = new BatchLoader(TestImages.Split(5, width: 16, height: 16),
            new LoaderOptions
            {
                Device = device,
                BatchSize = 2,
                ImageSize = BenchmarkTests.Config.ImageSize,
                PatchSize = BenchmarkTests.Config.PatchSize,
                Order = SampleOrder.Shuffled,
                Threads = 0,
            });
        using var outer = new Tape(device, recording: false);
        Tensor? descriptors = stage == 2 ? model.ClassFeatures(outer) : null;
        List<StepEvent> steps = [];
        using ImageTowerStage? divided = accumulate > 1
            ? new(model, new StageLoss(default, null, new LossSettings())) : null;
        using var phase = new StageLoop(stage == 1 ? TrainingStage.Stage1 : TrainingStage.Stage2, settings, device,
            StageLoop.OptimizerOf(settings, trained))
        { Divided = divided };
        phase.Run(loader, (tape, batch, _) =>
        {
            Tensor features = model.ImageFeatures(tape, batch.TakePixels(tape), batch.Frames);
            Tensor labels = tape.Own(Tensor.From(device, batch.Labels.AsSpan(0, batch.Count), new Shape(batch.Count)));
            Tensor logits = model.Logits(tape, features, descriptors ?? model.ClassFeatures(tape));
            Tensor losses = tape.CliperLoss(logits, labels, model.Classes.Count, model.Prompts.PromptsPerClass);
            return new StepLoss(tape.Sum(losses), losses);
        }, new Progress(steps), _ => { }, default);
        Assert.That(device.Launched.Select(kernel => kernel.Name),
            Does.Contain("Normalize Fp16").And.None.StartsWith("PatchEmbedding"),
            "patches are made of bytes, not of fp32 planes");
        // These values depend on the clock, and on when memory is freed.
        steps = [.. steps.Select(step => step with { ImagesPerSecond = 0, WaitShare = 0, Remaining = default,
            MemoryBytes = 0 })];
        return new Outcome(steps, trained.ToDictionary(entry => entry.Name, entry => entry.Tensor.ToArray()),
            device.StepCounts);
    }

    private sealed class Progress(List<StepEvent> steps) : IProgress<TrainEvent>
    {
        public void Report(TrainEvent value) => steps.Add((StepEvent)value);
    }

    private static CommandList.Command Launch(int blocks) => new(Kernel, new Blocks(blocks), 0, 0, sizeof(int));

    private static CommandList.Command Copy(nint source, nint target, long bytes) =>
        new(null, default, source, target, bytes);

    private static CommandList Work(int argument)
    {
        var work = new CommandList();
        work.Add(Launch(1), BitConverter.GetBytes(argument));
        return work;
    }

    /// <summary>A device that writes down what is asked of it, and runs nothing.</summary>
    private sealed class Log : GpuDevice
    {
        private int _graphs;

        public Log() : base(ElementType.Float16) => Graphs = new CudaGraphCache(this);

        public int Refuses { get; init; }

        public CudaGraphCache Graphs { get; }

        public List<string> Lines { get; } = [];

        public override string Name => "log";

        internal override int Multiprocessors => 1;

        private protected override Arena Arena { get; } = HostArena(segmentBytes: 1);

        internal override bool Supports(GpuTarget target) => true;

        internal override void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments) =>
            Lines.Add("launch");

        internal override nint Capture(CommandList work)
        {
            if (++_graphs == Refuses)
            {
                Lines.Add("refused");
                return 0;
            }
            Lines.Add($"capture {_graphs}");
            return _graphs;
        }

        internal override void Replay(nint graph) => Lines.Add($"replay {graph}");

        internal override void DestroyGraph(nint graph) => Lines.Add($"end {graph}");

        public override void Synchronize()
        {
        }
    }
}
