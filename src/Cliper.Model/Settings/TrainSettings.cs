using Cliper.Kernels.Operations;
using Cliper.Model.DataSets;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.SyntheticFaces;
using Cliper.Model.Weights;

namespace Cliper.Model.Settings;

/// <summary>
/// All that decides a run's result. Written to the run's config.json; the same settings, data and device give the same
/// bits.
/// </summary>
public sealed record TrainSettings
{
    /// <summary>The value of <see cref="Fold"/> that stands for all of them.</summary>
    public const int AllFolds = 0;

    /// <summary>The value of <see cref="Recipe"/> for settings that began as no recipe.</summary>
    public const string CustomRecipe = "custom";

    /// <summary>Name of the recipe that the settings began as.</summary>
    public string Recipe { get; init; } = CustomRecipe;

    /// <summary>Which form of its protocol the recipe has, one of <see cref="Recipes.ProtocolsOf"/>; empty for recipes
    /// with one form alone.</summary>
    public string Protocol { get; init; } = "";
    /// <summary>The method, whose protocol --method puts over the recipe.</summary>
    public TrainingMethod Method { get; init; }

    /// <summary>Whether the run makes a CLIP alone; null in files of version 0.1, which do not say it. Set by the
    /// program.</summary>
    public bool? PretrainOnly { get; init; }

    /// <summary>Folder or file of the data.</summary>
    public string Data { get; init; } = "";

    /// <summary>Layout of the data: "drawn", or one of <see cref="DataSetRegistry.Names"/>.</summary>
    public string DataSet { get; init; } = "auto";

    /// <summary>Choices that data sets leave open.</summary>
    public DataChoices Choices { get; init; } = new();

    /// <summary>
    /// The terms of the data, which the model keeps and whoever uses it is told. Empty for those that are known of the
    /// data set.
    /// </summary>
    public string Terms { get; init; } = "";

    /// <summary>CLIP weights: a safetensors file or a Hugging Face folder. Empty to pre-train a CLIP of
    /// <see cref="Shape"/>.</summary>
    public string Weights { get; init; } = "";

    /// <summary>Facts on the weights that they do not state themselves.</summary>
    public ClipStatement WeightsFacts { get; init; } = new();

    /// <summary>
    /// Checkpoint whose model the training begins with, towers and descriptors: a file, or a run's folder. Empty for
    /// new descriptors.
    /// </summary>
    public string Init { get; init; } = "";

    /// <summary>
    /// Cascade of OpenCV with whose boxes the place of faces in the training images is measured, for a
    /// <c>predict</c> with the same cascade; empty for the network that comes with the program.
    /// </summary>
    public string FaceDetector { get; init; } = "";

    /// <summary>Tokenizer file or folder; empty when the weights bring one.</summary>
    public string Tokenizer { get; init; } = "";

    /// <summary>Seed of every random number.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Descriptors a class, M.</summary>
    public int Subclasses { get; init; } = 5;

    /// <summary>Learnable tokens a descriptor, L.</summary>
    public int Tokens { get; init; } = 4;

    /// <summary>Text before the learnable tokens; after them stands a full stop.</summary>
    public string Template { get; init; } = DescriptorPrompt.DefaultWords;

    /// <summary>Faces to draw for training, where the program draws its data itself.</summary>
    public int DrawnPictures { get; init; } = 2800;

    /// <summary>How they, and those to test on, are drawn.</summary>
    public FaceStyle DrawnStyle { get; init; }

    /// <summary>
    /// Divisor of the cosines, tau; 0 for the one that the CLIP itself learned, which is the paper's 0.01 in OpenAI's
    /// CLIPs. A CLIP's features are as far apart as its own temperature needs; at another the losses start far off.
    /// </summary>
    public float Temperature { get; init; }

    /// <summary>Weight of subclasses that no sample of a batch is nearest to.</summary>
    public EmptySubclasses EmptySubclasses { get; init; }

    /// <summary>Parts of CLIPER's loss.</summary>
    public LossSettings Loss { get; init; } = new();
    /// <summary>Prompts of CoOp and CoCoOp.</summary>
    public CoOpSettings Coop { get; init; } = new();

    /// <summary>Linear head of full fine-tuning and the probe.</summary>
    public HeadSettings Head { get; init; } = new();

    /// <summary>The linear probe.</summary>
    public ProbeSettings Probe { get; init; } = new();

    /// <summary>Captions of the zero-shot method.</summary>
    public ZeroShotSettings ZeroShot { get; init; } = new();

    /// <summary>Where stages with a frozen image tower take its features from.</summary>
    public FeatureSource Features { get; init; }

    /// <summary>Training samples of each class, chosen by the seed; 0 for all.</summary>
    public int Shots { get; init; }

    /// <summary>Frames of a clip; 1 for images.</summary>
    public int Frames { get; init; } = 1;

    /// <summary>Consecutive frames of each segment of a clip: 1, or 2 as Former-DFER; divides
    /// <see cref="Frames"/>.</summary>
    public int FramesPerSegment { get; init; } = 1;

    /// <summary>Rule for clips with fewer frames than segments.</summary>
    public ShortClips ShortClips { get; init; } = ShortClips.RepeatLast;

    /// <summary>Whether epochs draw every class alike, samples of rare classes more than once.</summary>
    public bool Balanced { get; init; }

    /// <summary>
    /// Whether an epoch leaves out its last batch where that is smaller than the others, as IAL and DFER-CLIP do; the
    /// authors' script for RAF-DB keeps it. A split smaller than a batch is one batch either way.
    /// </summary>
    public bool DropLast { get; init; } = true;

    /// <summary>
    /// Factor tau of the log frequencies that stages 1 and 2 add to the logits of the classes: 0 for none, 1 for
    /// answers as if all classes were as frequent (logit adjustment, arXiv 2007.07314).
    /// </summary>
    public float LogitAdjustment { get; init; }

    /// <summary>Which epoch's model the run ends with.</summary>
    public Selection Select { get; init; }

    /// <summary>Part of the training split held out when the data has no validation split and one is needed.</summary>
    public float ValidationFraction { get; init; } = 0.1f;

    /// <summary>Subject-wise parts of data that comes without a test split, of which one is the test split.</summary>
    public int Folds { get; init; } = 5;

    /// <summary>
    /// Which fold is the test split, from 1; <see cref="AllFolds"/> for each in turn, every one a run of its own. Data
    /// sets with published folds have them, others are parted into <see cref="Folds"/>.
    /// </summary>
    public int Fold { get; init; } = 1;

    /// <summary>Version of the rule that data without splits is split by: see
    /// <see cref="DataSetOptions.SplitVersion"/>.</summary>
    public int SplitVersion { get; init; } = DataSetOptions.PresentSplits;

    /// <summary>
    /// Leaves training samples out that stand in another split too, exactly or nearly. The published recipes keep them,
    /// so that the protocol's counts are what is trained on.
    /// </summary>
    public bool DropDuplicates { get; init; } = true;

    /// <summary>Makes an unreadable image an error instead of leaving it out.</summary>
    public bool Strict { get; init; }

    /// <summary>Where decoded pixels are kept.</summary>
    public CacheMode Cache { get; init; } = CacheMode.Memory;

    /// <summary>Folder of the cache file, where pixels are kept on disk; 'data cache' fills it beforehand.</summary>
    public string CacheFolder { get; init; } = "";

    /// <summary>Evaluates after every this many epochs of stage 2; the last epoch always.</summary>
    public int EvaluateEvery { get; init; } = 1;

    /// <summary>Shape of the CLIP to pre-train when there are no weights.</summary>
    public ClipShape Shape { get; init; } = new();

    /// <summary>Captions of pre-training, {} standing for the class; a step uses one for all its images.</summary>
    public IReadOnlyList<string> CaptionTemplates { get; init; } = ["a photo of a {} face."];

    /// <summary>
    /// First epochs of pre-training that use such captions where images have captions of their own. Those name hair,
    /// light and much else that is easier to see than an expression; equal captions of a class leave nothing else to
    /// learn first.
    /// </summary>
    public int LabelCaptionEpochs { get; init; }

    /// <summary>Contrastive pre-training of both towers.</summary>
    public StageSettings Pretrain { get; init; } = new();

    /// <summary>Learns the descriptors; both towers frozen.</summary>
    public StageSettings Stage1 { get; init; } = new();

    /// <summary>Fine-tunes the image tower; descriptors and text tower frozen.</summary>
    public StageSettings Stage2 { get; init; } = new();

    /// <summary>
    /// The settings that a run was begun with. Runs of version 0.1 say nothing of how they split, and their batch size
    /// is that of a micro-batch.
    /// </summary>
    /// <param name="path">The run's config.json.</param>
    /// <exception cref="SettingsException">It is missing, no JSON object, or holds something unknown.</exception>
    public static TrainSettings OfRun(string path)
    {
        TrainSettings run = SettingsJson.Read(path, new TrainSettings { SplitVersion = 1 });
        return SettingsJson.Names(path, "dropLast") ? run : run with
        {
            Pretrain = WholeSteps(run.Pretrain),
            Stage1 = WholeSteps(run.Stage1),
            Stage2 = WholeSteps(run.Stage2),
        };

        static StageSettings WholeSteps(StageSettings stage) =>
            stage with { BatchSize = stage.BatchSize * stage.Accumulate };
    }

    /// <summary>Settings of a stage.</summary>
    public StageSettings Of(TrainingStage stage) => stage switch
    {
        TrainingStage.Pretrain => Pretrain,
        TrainingStage.Stage1 => Stage1,
        TrainingStage.Stage2 => Stage2,
        _ => throw new ArgumentOutOfRangeException(nameof(stage), stage, "no such stage"),
    };

    /// <summary>With the full paths of what is there, so that a run can be resumed from any folder; a hub's name stays
    /// as it is.</summary>
    public TrainSettings WithFullPaths()
    {
        return this with { Data = Full(Data), Weights = Full(Weights), Init = Full(Init) };

        static string Full(string path) => Path.Exists(path) ? Path.GetFullPath(path) : path;
    }

    /// <summary>Throws on a value out of range.</summary>
    /// <exception cref="SettingsException">Names the setting, its range and the value.</exception>
    public void Check()
    {
        SettingRange.Check(Subclasses, 1, 1000, nameof(Subclasses));
        SettingRange.Check(DrawnPictures, 7, 10_000_000, nameof(DrawnPictures));
        SettingRange.Check(Tokens, 1, 64, nameof(Tokens));
        SettingRange.Check(Frames, 1, 1024, nameof(Frames));
        SettingRange.Check(FramesPerSegment, 1, Frames, nameof(FramesPerSegment));
        if (Frames % FramesPerSegment != 0)
            throw new SettingsException(
                $"framesPerSegment is {FramesPerSegment}, which does not divide the {Frames} frames");
        SettingRange.Check(SplitVersion, 1, DataSetOptions.PresentSplits, nameof(SplitVersion));
        SettingRange.Check(Folds, 2, 1000, nameof(Folds));
        SettingRange.Check(Fold, AllFolds, Folds, nameof(Fold));
        SettingRange.Check(LogitAdjustment, 0, 4, nameof(LogitAdjustment));
        SettingRange.Check(EvaluateEvery, 1, int.MaxValue, nameof(EvaluateEvery));
        SettingRange.Check(LabelCaptionEpochs, 0, 100_000, nameof(LabelCaptionEpochs));
        SettingRange.Check(ValidationFraction, 0.001, 0.9, nameof(ValidationFraction));
        if (Temperature != 0)
            SettingRange.Check(Temperature, 1e-4, 10, nameof(Temperature));
        if (Cache == CacheMode.Disk && CacheFolder.Length == 0)
            throw new SettingsException("cache is disk and cacheFolder is empty: name the folder of the cache file");
        if (Weights.Length > 0 && Pretrain.Epochs > 0)
            throw new SettingsException(
                "weights are given and pretrain.epochs is not 0: either start from weights or pre-train");
        WeightsFacts.Check();
        if (Weights.Length == 0 && WeightsFacts != new ClipStatement())
            throw new SettingsException("activation, heads, mean or std are stated (weightsFacts), but no weights");
        if (Init.Length > 0 && (Weights.Length > 0 || Pretrain.Epochs > 0))
            throw new SettingsException(
                "init is given beside weights or pretrain.epochs: a training begins with one of them");
        if (Weights.Length == 0 && Init.Length == 0 && Pretrain.Epochs == 0)
            throw new SettingsException("no weights") { Remedy = Remedy.GiveWeights };
        if (Pretrain.Epochs > 0 && CaptionTemplates.Count == 0)
            throw new SettingsException(
                "captionTemplates is empty: pre-training needs at least one, such as \"a photo of a {} face.\"");
        Shape.Check();
        MethodDefaults.Check(this);
        foreach (TrainingStage stage in TrainingStages.All)
            Of(stage).Check(stage.Name());
    }
}
