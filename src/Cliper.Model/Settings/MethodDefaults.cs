namespace Cliper.Model.Settings;

/// <summary>
/// The protocol of each method over a recipe: data, backbone and pre-training stay the recipe's, and the method says
/// what is trained on them. What the papers leave open is told in docs/methods.md.
/// </summary>
public static class MethodDefaults
{
    /// <summary>The settings of training without a recipe, the paper's.</summary>
    public static TrainSettings WithoutRecipe => new()
    {
        Stage1 = Recipes.PublishedStage1,
        Stage2 = Recipes.PublishedStage2,
    };

    /// <summary>SGD of CoOp's configurations, 50 epochs for whole training splits.</summary>
    private static StageSettings Context { get; } = new()
    {
        Epochs = 50,
        BatchSize = 32,
        LearningRate = 0.002f,
        Optimizer = OptimizerKind.Sgd,
        Momentum = 0.9,
        WeightDecay = 5e-4f,
        Schedule = ScheduleKind.LateCosine,
        Augmentation = "coop",
    };

    /// <summary>The head of CLIPER's own training loop, tower frozen.</summary>
    private static StageSettings Probe { get; } = new()
    {
        Epochs = 50,
        BatchSize = 128,
        LearningRate = 1e-3f,
        Schedule = ScheduleKind.Cosine,
        WeightDecay = 0.1f,
        Epsilon = 1e-4,
        Augmentation = "script",
    };

    /// <summary>The settings of a recipe with a method's protocol.</summary>
    /// <param name="recipe">Settings of the recipe.</param>
    /// <param name="method">The method.</param>
    public static TrainSettings Over(TrainSettings recipe, TrainingMethod method)
    {
        StageSettings none = new();
        TrainSettings settings = recipe with { Method = method };
        return method switch
        {
            TrainingMethod.M1 => settings with { Subclasses = 1 },
            TrainingMethod.ZeroShot => settings with { Stage1 = none, Stage2 = none },
            TrainingMethod.Coop => settings with { Stage1 = Context, Stage2 = none },
            // A batch of one, as published, is for memory alone; eight at a rate of sqrt(8) times take an eighth of
            // the steps.
            TrainingMethod.Cocoop => settings with
            {
                Stage1 = Context with { Epochs = 10, BatchSize = 8, LearningRate = 0.005f },
                Stage2 = none,
                Coop = settings.Coop with { Words = "a photo of a" },
            },
            TrainingMethod.LinearProbe => settings with { Stage1 = none, Stage2 = Probe },
            TrainingMethod.FineTune => settings with { Stage1 = none },
            _ => settings,
        };
    }

    /// <summary>Whether a setting has a meaning for a method: not where it belongs to a stage that the method lacks, or
    /// is fixed by it.</summary>
    /// <param name="method">The method.</param>
    /// <param name="path">The setting's path in config.json.</param>
    public static bool Takes(TrainingMethod method, string path) =>
        path is not "method" && !(path is "subclasses" && method == TrainingMethod.M1)
        && !(path.StartsWith($"{TrainingStage.Stage1.Name()}.", StringComparison.Ordinal) && !HasStage1(method))
        && !(path.StartsWith($"{TrainingStage.Stage2.Name()}.", StringComparison.Ordinal) && !HasStage2(method));

    private static bool HasStage1(TrainingMethod method) => method.HasDescriptors() || method.HasContext();

    private static bool HasStage2(TrainingMethod method) => method.HasDescriptors() || method.HasHead();

    /// <summary>Checks the settings of a method.</summary>
    /// <exception cref="SettingsException">They do not fit it.</exception>
    internal static void Check(TrainSettings settings)
    {
        settings.Coop.Check(settings.Method);
        settings.Head.Check();
        settings.Probe.Check();
        settings.ZeroShot.Check();
        if (settings.Shots is < 0 or > 1_000_000)
            throw new SettingsException($"shots is {settings.Shots}; it must lie within 0 and 1000000");
        foreach (TrainingStage stage in TrainingStages.All)
            if (settings.Of(stage).Momentum is not (>= 0 and < 1))
                throw new SettingsException(
                    $"{stage.Name()}.momentum is {settings.Of(stage).Momentum}; it must lie within 0 and 1");
        (TrainingMethod method, string name) = (settings.Method, settings.Method.Name());
        if (method == TrainingMethod.M1 && settings.Subclasses != 1)
            throw new SettingsException($"subclasses is {settings.Subclasses}; the method m1 has 1");
        if (!HasStage1(method) && settings.Stage1.Epochs > 0)
            throw new SettingsException($"stage1.epochs is {settings.Stage1.Epochs}; the method {name} has no stage 1");
        if (!HasStage2(method) && settings.Stage2.Epochs > 0)
            throw new SettingsException($"stage2.epochs is {settings.Stage2.Epochs}; the method {name} has no stage 2");
    }
}
