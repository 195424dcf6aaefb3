using Cliper.Autograd;

namespace Cliper.Model.Clip;

/// <summary>
/// CLIP's text tower, a causal transformer: token and position embeddings, blocks, LayerNorm; the state at the
/// end-of-text token, projected, is the text's feature. Being causal it need not see what stands after that token, so
/// texts run at their real length.
/// </summary>
public sealed class TextTransformer
{
    private readonly ParameterSet _parameters;
    private readonly ClipConfig _config;
    private readonly ResidualBlock[] _blocks;

    internal TextTransformer(ParameterSet parameters, ClipConfig config)
    {
        _parameters = parameters;
        _config = config;
        _blocks = [.. Enumerable.Range(0, config.TextLayers).Select(layer => new ResidualBlock(parameters,
            $"transformer.resblocks.{layer}.", config.TextHeads, causal: true, config.Activation,
                config.LayerNormEpsilon))];
    }

    /// <summary>Features of texts.</summary>
    /// <param name="tape">The step.</param>
    /// <param name="ids">A text each: ids with start and end token; what follows the end token (the largest id, at its
    /// first place) is ignored. Lengths may differ.</param>
    /// <param name="observe">Given the name and value of every intermediate result ("block.0" and so on, "ln_final");
    /// the texts must then be of equal length, which is not cut.</param>
    /// <returns>[P, D], projected and not normalized.</returns>
    /// <exception cref="ArgumentException">An id outside the vocabulary, or a text longer than the context.</exception>
    public Tensor Forward(Tape tape, IReadOnlyList<int[]> ids, Action<string, Tensor>? observe = null)
    {
        int[] ends = [.. ids.Select(EndOf)];
        int tokens = observe is null ? ends.Max() + 1 : ids[0].Length;
        var flat = new int[ids.Count * tokens];
        for (int text = 0; text < ids.Count; text++)
            for (int token = 0; token < Math.Min(tokens, ids[text].Length); token++)
                flat[text * tokens + token] = CheckId(ids[text][token]);
        using Tape.Scope scope = tape.BeginScope();
        Tensor x = Embed(tape, flat, ids.Count, tokens);
        return scope.Keep(Encode(tape, x, ends, observe));
    }

    /// <summary>Token embeddings without positions, [count, tokens, W], of ids given one text after the
    /// other.</summary>
    public Tensor Embed(Tape tape, ReadOnlySpan<int> ids, int count, int tokens)
    {
        Tensor rows = tape.Own(Tensor.From(tape.Device, ids, new Shape(count, tokens)));
        return tape.Gather(_parameters["token_embedding.weight"], rows, tape.Device.Activations);
    }

    /// <summary>Features of texts given as token embeddings.</summary>
    /// <param name="tape">The step.</param>
    /// <param name="embeddings">[P, T, W], without positions.</param>
    /// <param name="ends">Position of the end-of-text token of each.</param>
    /// <param name="observe">The same as for <see cref="Forward"/>.</param>
    /// <returns>[P, D].</returns>
    public Tensor Encode(Tape tape, Tensor embeddings, int[] ends, Action<string, Tensor>? observe = null)
    {
        int texts = embeddings.Shape[0], tokens = embeddings.Shape[1], width = embeddings.Shape[2];
        if (tokens > _config.ContextLength)
            throw new ArgumentException($"a text has {tokens} tokens, the model takes {_config.ContextLength}");
        using Tape.Scope scope = tape.BeginScope();
        Tensor x = tape.AddPositions(embeddings, _parameters["positional_embedding"]);
        Tensor endRows = tape.Own(Tensor.From(tape.Device,
            [.. ends.Select((end, text) => text * tokens + end)], new Shape(texts)));
        bool whole = observe is not null;
        for (int layer = 0; layer < _blocks.Length - (whole ? 0 : 1); layer++)
        {
            x = _blocks[layer].Forward(tape, x);
            observe?.Invoke($"block.{layer}", x);
        }
        if (whole || _blocks.Length == 0)
        {
            // LayerNorm works row by row: normalizing all rows first changes nothing for those read.
            x = Norm(tape, x);
            observe?.Invoke("ln_final", x);
            x = tape.Gather(x.Reshape(new Shape(texts * tokens, width)), endRows);
        }
        else
        {
            Tensor lengths = tape.Own(Tensor.From(tape.Device, [.. ends.Select(end => end + 1)], new Shape(texts)));
            x = Norm(tape, _blocks[^1].ForwardOne(tape, x, endRows, lengths));
        }
        return scope.Keep(tape.MatMul(x, _parameters["text_projection"]));
    }

    /// <summary>Position of the end-of-text token: the first place of the largest id.</summary>
    public static int EndOf(int[] ids) => Array.IndexOf(ids, ids.Max());

    private Tensor Norm(Tape tape, Tensor x) =>
        tape.LayerNorm(x, _parameters["ln_final.weight"], _parameters["ln_final.bias"], _config.LayerNormEpsilon);

    private int CheckId(int id) => id >= 0 && id < _config.VocabularySize
        ? id
        : throw new ArgumentException($"token id {id}, the vocabulary has {_config.VocabularySize}: "
            + "the tokenizer does not belong to this model");
}
