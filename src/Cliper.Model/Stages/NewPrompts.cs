using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Text;

namespace Cliper.Model.Stages;

/// <summary>The prompt learner that a run's method begins with.</summary>
/// <param name="settings">Settings of the run.</param>
/// <param name="classes">Names of the classes.</param>
/// <param name="format">Layout of the data, which tells its own class names.</param>
/// <param name="progress">Told which words are used.</param>
internal sealed class NewPrompts(TrainSettings settings, IReadOnlyList<string> classes, string format,
    IProgress<TrainEvent> progress)
{
    private const string TokenTable = "token_embedding.weight";

    /// <summary>Makes it.</summary>
    /// <param name="clip">The CLIP.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <exception cref="SettingsException">The settings do not fit the CLIP.</exception>
    public IPromptLearner Create(ClipModel clip, ClipTokenizer tokenizer) => settings.Method switch
    {
        TrainingMethod.Coop or TrainingMethod.Cocoop => Context(clip, tokenizer),
        TrainingMethod.LinearProbe or TrainingMethod.FineTune => Head(clip, tokenizer),
        TrainingMethod.ZeroShot => Captions(clip, tokenizer),
        _ => Metd.Random(clip.Device, classes.Count, settings.Subclasses, clip.Config.TextWidth,
            DescriptorPrompt.Create(tokenizer, settings.Tokens, clip.Config.ContextLength, settings.Template),
            settings.Seed),
    };

    /// <summary>Whether a prompt learner is of the method of the settings.</summary>
    public bool IsOfMethod(IPromptLearner prompts) => PromptLearners.WordOf(prompts) is var word
        && (word == settings.Method.Name() || (settings.Method.HasDescriptors() && prompts is Metd));

    private IPromptLearner Context(ClipModel clip, ClipTokenizer tokenizer)
    {
        CoOpSettings coop = settings.Coop;
        IReadOnlyList<string> names = ClassWords.Of(coop.Names, classes, format);
        int[] words = WordsOf(coop.Words, tokenizer);
        int tokens = words.Length > 0 ? words.Length : coop.Tokens, width = clip.Config.TextWidth;
        ContextPrompts prompts = ContextPrompts.Create(tokenizer, names, tokens, coop.Position,
            clip.Config.ContextLength);
        Shape shape = coop.ClassSpecific ? new Shape(classes.Count, tokens, width) : new Shape(tokens, width);
        Tensor context = words.Length > 0 ? EmbeddingsOf(clip, words)
            : CoOp.RandomContext(clip.Device, shape, settings.Seed);
        progress.Report(new MessageEvent($"the classes are called {string.Join(", ", names)} "
            + $"({ClassWords.Name(coop.Names)}); the context is {tokens} vectors "
            + (coop.ClassSpecific ? "of each class, " : "of all classes, ")
            + (words.Length > 0 ? $"beginning as \"{coop.Words}\"" : "beginning at random")
            + $", the name at the {coop.Position.ToString().ToLowerInvariant()}"));
        if (settings.Method == TrainingMethod.Coop)
            return new CoOp(context, prompts);
        progress.Report(new MessageEvent(FormattableString.Invariant(
            $"CoCoOp learns from batches of {settings.Stage1.BatchSize} at a rate of {settings.Stage1.LearningRate:G3}")
            + (settings.Stage1.BatchSize == 1 ? " (its authors: 1 at 0.002)"
                : ", fewer steps than its authors' batches of 1 at 0.002")));
        return new CoCoOp(context, CoCoOp.MetaNet.Random(clip.Device, clip.Config, settings.Seed), prompts);
    }

    /// <summary>Token ids of the words that a context begins with, one a word.</summary>
    private static int[] WordsOf(string words, ClipTokenizer tokenizer) =>
        [.. words.Replace('_', ' ').Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word =>
        {
            int[] ids = tokenizer.EncodeWords(word);
            return ids.Length == 1 ? ids[0] : throw new SettingsException(
                $"coop.words: \"{word}\" is {ids.Length} tokens of the model's vocabulary; each word must be 1, for "
                + "one learned vector begins as it: take another word");
        })];

    private static Tensor EmbeddingsOf(ClipModel clip, int[] ids)
    {
        Tensor table = clip.Parameters[TokenTable];
        using var tape = new Tape(clip.Device, recording: false);
        Tensor rows = tape.Gather(table, tape.Own(Tensor.From(clip.Device, ids, new Shape(ids.Length))));
        return Tensor.From(clip.Device, rows.ToArray(), rows.Shape);
    }

    private LinearHead Head(ClipModel clip, ClipTokenizer tokenizer)
    {
        LinearHead head = LinearHead.Random(clip.Device, settings.Method.Name(), classes.Count, clip.Config.EmbedSize,
            settings.Head.Normalize, settings.Seed);
        if (settings.Head.Init != HeadInit.ZeroShot)
            return head;
        using var tape = new Tape(clip.Device, recording: false);
        float scale = 1 / clip.Temperature;
        float[] features = Captions(clip, tokenizer).ClassFeatures(tape, clip, imageFeatures: null).ToArray();
        head.Set([.. features.Select(value => value * scale)], new float[classes.Count]);
        return head;
    }

    private FixedPrompts Captions(ClipModel clip, ClipTokenizer tokenizer)
    {
        IReadOnlyList<string> names = ClassWords.Of(settings.ZeroShot.Names, classes, format);
        IReadOnlyList<string>[] captions =
            [.. names.Select((name, label) => PromptSets.Fill(settings.ZeroShot.Prompts, classes[label], name))];
        progress.Report(new MessageEvent($"zero-shot captions ({settings.ZeroShot.Prompts}, "
            + $"{ClassWords.Name(settings.ZeroShot.Names)}): "
            + string.Join("; ", captions.Select(texts => $"\"{texts[0]}\""))));
        return new FixedPrompts([.. captions.Select(texts => (IReadOnlyList<int[]>)[.. texts.Select(text =>
            tokenizer.Encode(text, clip.Config.ContextLength))])]);
    }
}
