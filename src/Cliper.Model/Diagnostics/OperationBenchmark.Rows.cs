using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <content>Operations on rows and elements, whose limit is memory.</content>
public sealed partial class OperationBenchmark
{
    private IEnumerable<Case> Rows()
    {
        foreach (int rows in sizes.NormRows)
        {
            using var scope = _arrays.BeginScope();
            BenchmarkArray x = Numbers(rows, Width), gamma = Floats(Width), beta = Floats(Width),
                y = Numbers(rows, Width);
            BenchmarkArray mean = Floats(rows), rstd = Floats(rows), dx = Numbers(rows, Width),
                dgamma = Floats(Width), dbeta = Floats(Width);
            string shape = $"{rows}x{Width}";
            yield return Move("layer norm forward", shape, 2L * rows * Width,
                () => LayerNorm.Forward(x, new(gamma, beta), y, new(mean, rstd), new(rows, Width)));
            yield return Move("layer norm backward", shape, 3L * rows * Width, () =>
                LayerNorm.Backward(x, gamma, new(mean, rstd), y, new(dx, dgamma, dbeta), new(rows, Width)));
            yield return Move("column sum", shape, (long)rows * Width, () => ColumnSum.Forward(x, dbeta, rows, Width,
                Width));
            // Features are fp32 everywhere.
            BenchmarkArray features = Floats(rows, Width), normal = Floats(rows, Width),
                dfeatures = Floats(rows, Width);
            yield return Move("L2 normalize forward", shape, 2L * rows * Width,
                () => L2Normalize.Forward(features, normal, rstd, rows, Width), Float);
            yield return Move("L2 normalize backward", shape, 3L * rows * Width,
                () => L2Normalize.Backward(normal, rstd, features, dfeatures, rows, Width), Float);
        }
    }

    private IEnumerable<Case> Elements()
    {
        int rows = sizes.ElementRows;
        long count = (long)rows * Hidden;
        string shape = $"{rows}x{Hidden}";
        {
            using var scope = _arrays.BeginScope();
            BenchmarkArray a = Numbers(rows, Hidden), b = Numbers(rows, Hidden), y = Numbers(rows, Hidden);
            yield return Move("QuickGELU forward", shape, 2 * count, () => Elementwise.Forward<QuickGelu>(a, y));
            yield return Move("QuickGELU backward", shape, 3 * count, () => Elementwise.Backward<QuickGelu>(a, b, y));
            yield return Move("add", shape, 3 * count, () => Add.Forward(a, b, y));
        }
        {
            using var scope = _arrays.BeginScope();
            BenchmarkArray a = Floats(rows, Hidden), b = Floats(rows, Hidden), y = Floats(rows, Hidden),
                one = Floats(1);
            yield return Move("multiply", shape, 3 * count, () => Multiply.Forward(a, b, y), Float);
            yield return Move("scale", shape, 2 * count, () => Scale.Forward(a, 0.5f, y), Float);
            yield return Move("sum", shape, count, () => Sum.Forward(a, one), Float);
            if (Stored != Float)
            {
                BenchmarkArray half = Numbers(rows, Hidden);
                yield return MoveBytes($"cast fp32 to {Stored.Describe()}", shape, a.Bytes + half.Bytes, () =>
                    Cast.Forward(a, half));
            }
        }
        {
            const int Frames = 16;
            using var scope = _arrays.BeginScope();
            int clips = sizes.TokenSamples;
            BenchmarkArray x = Floats(clips * Frames, sizes.Embed), y = Floats(clips, sizes.Embed);
            yield return Move($"mean over {Frames} frames", $"{clips}x{Frames}x{sizes.Embed}",
                (long)clips * (Frames + 1) * sizes.Embed,
                () => Mean.Forward(x, y, clips, Frames, sizes.Embed), Float);
        }
    }

    // On the processor the threads that load pictures do this, each for itself.
    private IEnumerable<Case> Pictures()
    {
        if (device is not GpuDevice)
            yield break;
        using var scope = _arrays.BeginScope();
        int samples = sizes.TokenSamples, size = sizes.ImageSize, values = 3 * size * size;
        long count = (long)samples * values;
        BenchmarkArray pixels = Own(count, () =>
        {
            var bytes = new byte[count];
            new Random(1).NextBytes(bytes);
            return device.From(bytes);
        });
        BenchmarkArray patches = Own(count * Stored.Size(), () => device.Allocate(count, Stored)), table = Own(0,
            () => device.From(Normalize.Table([0.5f, 0.5f, 0.5f], [0.25f, 0.25f, 0.25f])));
        var pictures = new Lazy<(ImageView, PixelBox?)[]>(() => [.. Enumerable.Range(0, samples).Select(sample =>
            (new ImageView(pixels.Value.Slice((long)sample * values, values), size, size, 3), (PixelBox?)null))]);
        yield return MoveBytes("normalize into patches", $"{samples}x{size}x{size}x3", pixels.Bytes + patches.Bytes,
            () => Normalize.Forward(pictures.Value, table, patches, sizes.PatchSize));
    }

    private IEnumerable<Case> Tokens()
    {
        const int Prompts = 35, Length = 11, Learned = 4, First = 5;
        int samples = sizes.TokenSamples, patches = sizes.Patches, textWidth = sizes.TextWidth,
            vocabulary = sizes.Vocabulary;
        using var scope = _arrays.BeginScope();
        BenchmarkArray x = Numbers(samples * patches, Width), cls = Floats(Width),
            positions = Floats(patches + 1, Width);
        BenchmarkArray y = Numbers(samples * (patches + 1), Width), dpositions = Floats(patches + 1, Width),
            dcls = Floats(Width);
        long moved = (2L * samples * patches + samples) * Width;
        yield return Move("class token and positions forward", $"{samples}x{patches}x{Width}", moved,
            () => AddClassToken.Forward(x, cls, positions, y, new(samples, patches, Width)));
        yield return Move("class token and positions backward", $"{samples}x{patches}x{Width}", moved,
            () => AddClassToken.Backward(y, x, dcls, dpositions, new(samples, patches, Width)));

        BenchmarkArray table = Floats(vocabulary, textWidth), dtable = Floats(vocabulary, textWidth),
            places = Floats(Length, textWidth);
        BenchmarkArray ids = Integers(Enumerable.Range(0, Prompts * Length).Select(i => i * 101 % vocabulary));
        BenchmarkArray text = Numbers(Prompts * Length, textWidth), prompts = Numbers(Prompts * Length, textWidth),
            learned = Floats(Prompts * Learned, textWidth);
        BenchmarkArray slots = Integers(Enumerable.Range(0, Prompts * Learned).Select(i => First + i % Learned));
        string shape = $"{Prompts}x{Length}x{textWidth}";
        yield return Move("gather forward", shape, 2L * Prompts * Length * textWidth,
            () => Gather.Forward(table, ids, text, vocabulary, textWidth));
        yield return Move("gather backward, accumulate", shape, 3L * Prompts * Length * textWidth,
            () => Gather.Backward(ids, text, new(dtable, Accumulate: true), vocabulary, textWidth));
        yield return Move("place forward", shape, 2L * Prompts * Length * textWidth,
            () => Place.Forward(text, learned, slots, prompts, new(Prompts, Length, Learned, textWidth)));
        yield return Move("add positions forward", shape, 2L * Prompts * Length * textWidth,
            () => AddPositions.Forward(text, places, prompts, Prompts, Length, textWidth));
    }

    private IEnumerable<Case> Losses()
    {
        const int Batch = 128, Classes = 7, Subclasses = 5;
        using var scope = _arrays.BeginScope();
        BenchmarkArray square = Floats(Batch, Batch), dsquare = Floats(Batch, Batch), rowSums = Floats(Batch),
            loss = Floats(1);
        BenchmarkArray targets = Integers(Enumerable.Range(0, Batch)), dloss = Ones(1);
        yield return Move("softmax cross-entropy forward", $"{Batch}x{Batch}", (long)Batch * Batch,
            () => SoftmaxCrossEntropy.Forward(square, targets, loss, rowSums, Batch, Batch), Float);
        yield return Move("softmax cross-entropy backward", $"{Batch}x{Batch}", 2L * Batch * Batch,
            () => SoftmaxCrossEntropy.Backward(square, targets, rowSums, dloss, dsquare, Batch, Batch), Float);

        BenchmarkArray logits = Floats(Batch, Classes * Subclasses), dlogits = Floats(Batch, Classes * Subclasses);
        BenchmarkArray losses = Floats(2), dlosses = Ones(2), alpha = Floats(Batch);
        BenchmarkArray labels = Integers(Enumerable.Range(0, Batch).Select(i => i % Classes));
        BenchmarkArray nearest = Integers(new int[Batch]), counts = Integers(new int[Classes * Subclasses]);
        string shape = $"{Batch}x{Classes}x{Subclasses}";
        yield return Move("CLIPER loss forward", shape, (long)Batch * Classes * Subclasses, () =>
            CliperLoss.Forward(logits, labels, losses, new(alpha, nearest, counts), new(Batch, Classes, Subclasses),
                EmptySubclasses.MinusOneNinetyNinth), Float);
        yield return Move("CLIPER loss backward", shape, 2L * Batch * Classes * Subclasses, () =>
            CliperLoss.Backward(logits, labels, new(alpha, nearest, default), dlosses, dlogits,
                new(Batch, Classes, Subclasses)),
            Float);
    }
}
