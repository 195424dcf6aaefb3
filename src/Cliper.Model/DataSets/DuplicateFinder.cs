using System.Numerics;
using System.Numerics.Tensors;
using System.Security.Cryptography;
using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// Finds images that are in training and in another split. Exact copies have equal hashes of their pixels. Near copies
/// are sought among images whose 64-bit difference hashes (is each of 9 x 8 cells darker than its right neighbor?)
/// differ in few bits and whose 16 x 16 thumbnails correlate, and confirmed by the correlation of their details: what
/// is left of 32 x 32 pixels without the coarse light and dark, at the best of small shifts.
/// </summary>
/// <remarks>
/// Hash and thumbnail alone will not do for aligned faces, which share light from above, eyes and mouth: among 102
/// studio portraits of different people most find another that correlates by 0.95. The default was chosen by looking at
/// pairs: of FER2013's, those from 0.7 are one photograph twice (cropped, marked or compressed otherwise) but for one
/// or two of twenty, those below 0.65 mostly two people; unrelated faces of CK+ reach 0.83. Studio portraits of one
/// pose and light still match at times, most often the same person.
/// </remarks>
internal static class DuplicateFinder
{
    /// <summary>Least correlation of details of a near copy.</summary>
    public const float DefaultSimilarity = 0.85f;

    // Both limits only spare comparisons, and are wide enough to lose no copy that the details would confirm.
    private const int CandidateBits = 20;
    private const float CandidateCorrelation = 0.9f;

    private const int HashWidth = 9, HashHeight = 8, Side = 16, FineSide = 32, MaxShift = 3;

    /// <summary>Compares the two splits, each image of one with each of the other, mirrored too.</summary>
    /// <param name="train">The training split.</param>
    /// <param name="other">A split that is measured on.</param>
    /// <param name="similarity">Least correlation of details of a near copy, above 0, at most 1.</param>
    /// <param name="threads">Threads to use; 0 for one a core.</param>
    /// <param name="codec">Decodes the files; null for the usual one.</param>
    /// <param name="prints">Prints that earlier searches computed, which are added to; null to begin with none.</param>
    /// <param name="cancellation">Cancels the search.</param>
    public static DuplicateReport Find(DataSplit train, DataSplit other, float similarity = DefaultSimilarity,
        int threads = 0,
        IImageCodec? codec = null, ImagePrints? prints = null, CancellationToken cancellation = default)
    {
        if (!(similarity is > 0 and <= 1))
            throw new SettingsException(
                $"the similarity of near copies is above 0 and at most 1, given was {similarity}");
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = threads == 0 ? Environment.ProcessorCount : threads,
            CancellationToken = cancellation,
        };
        prints ??= new ImagePrints();
        Print[] trainPrints = Prints(train, prints, codec ?? ImageCodec.Instance, parallel, out int unreadableTrain);
        Print[] otherPrints = Prints(other, prints, codec ?? ImageCodec.Instance, parallel, out int unreadableOther);
        ulong[] hashes = [.. trainPrints.Select(print => print.Of.Hash)];
        var found = new List<DuplicatePair>[otherPrints.Length];
        WorkTicker ticker = prints.Ticker($"comparing {train.Name} with {other.Name}", otherPrints.Length);
        Parallel.For(0, otherPrints.Length, parallel, i =>
        {
            found[i] = Matches(otherPrints[i], trainPrints, hashes, similarity);
            ticker.Done();
        });
        DuplicatePair[] pairs = [.. found.SelectMany(list => list)
            .GroupBy(pair => (pair.Train, pair.Other)).Select(group =>
            group.MaxBy(pair => (pair.Kind == DuplicateKind.Exact, pair.Similarity)))
            .OrderBy(pair => pair.Train).ThenBy(pair => pair.Other)];
        return new DuplicateReport(train, other, pairs, unreadableTrain + unreadableOther);
    }

    /// <summary>Groups of samples of one split that have an image in common, to the last pixel.</summary>
    /// <param name="split">The split.</param>
    /// <param name="threads">Threads to use; 0 for one a core.</param>
    /// <param name="codec">Decodes the files; null for the usual one.</param>
    /// <param name="prints">Prints that earlier searches computed, which are added to; null to begin with none.</param>
    /// <param name="cancellation">Cancels the search.</param>
    /// <returns>Indices of the samples of each group of two or more, ascending.</returns>
    public static IReadOnlyList<IReadOnlyList<int>> ExactWithin(DataSplit split, int threads = 0,
        IImageCodec? codec = null,
        ImagePrints? prints = null, CancellationToken cancellation = default)
    {
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = threads == 0 ? Environment.ProcessorCount : threads,
            CancellationToken = cancellation,
        };
        return [.. Prints(split, prints ?? new ImagePrints(), codec ?? ImageCodec.Instance, parallel, out _)
            .GroupBy(print => print.Of.Exact)
            .Select(group => (IReadOnlyList<int>)[.. group.Select(print => print.Sample).Distinct().Order()])
            .Where(group => group.Count > 1).OrderBy(group => group[0])];
    }

    /// <summary>An image's print, and the index of its sample.</summary>
    private readonly record struct Print(int Sample, ImagePrint Of);

    private static List<DuplicatePair> Matches(Print print, Print[] train, ulong[] hashes, float similarity)
    {
        ImagePrint wanted = print.Of;
        var pairs = new List<DuplicatePair>();
        for (int i = 0; i < hashes.Length; i++)
        {
            bool straight = BitOperations.PopCount(hashes[i] ^ wanted.Hash) <= CandidateBits;
            bool mirrored = BitOperations.PopCount(hashes[i] ^ wanted.MirrorHash) <= CandidateBits;
            if (!straight && !mirrored)
                continue;
            (int sample, ImagePrint candidate) = train[i];
            if (candidate.Exact == wanted.Exact)
            {
                pairs.Add(new DuplicatePair(sample, print.Sample, DuplicateKind.Exact, 1, false));
                continue;
            }
            float same = straight ? TensorPrimitives.Dot<float>(candidate.Thumbnail, wanted.Thumbnail) : -1;
            float turned = mirrored ? TensorPrimitives.Dot<float>(candidate.Thumbnail, wanted.MirrorThumbnail) : -1;
            if (Math.Max(same, turned) < CandidateCorrelation)
                continue;
            float details = DetailCorrelation(candidate.Detail, wanted.Detail, turned > same);
            if (details >= similarity)
                pairs.Add(new DuplicatePair(sample, print.Sample, DuplicateKind.Near, details, turned > same));
        }
        return pairs;
    }

    private static Print[] Prints(DataSplit split, ImagePrints known, IImageCodec codec, ParallelOptions parallel,
        out int unreadable)
    {
        Sample[] lacking = [.. split.Samples.Where(sample => !known.Has(sample))];
        Frame[][] frames = Array.ConvertAll(lacking, sample => Chosen(sample.Frames).ToArray());
        ImagePrint?[][] made = Array.ConvertAll(frames, chosen => new ImagePrint?[chosen.Length]);
        (int Sample, int Place)[] places =
            [.. frames.SelectMany((chosen, sample) => Enumerable.Range(0, chosen.Length).Select(place =>
            (sample, place)))];
        WorkTicker ticker = known.Ticker($"hashing the pictures of {split.Name}", places.Length);
        Parallel.ForEach(places, parallel, at =>
        {
            ticker.Done();
            try
            {
                made[at.Sample][at.Place] = PrintOf(frames[at.Sample][at.Place].Load(codec));
            }
            catch (InputException)
            {
                // Training will report it; here it is only counted.
            }
        });
        for (int i = 0; i < lacking.Length; i++)
            known.Add(lacking[i], made[i]);
        unreadable = split.Samples.Sum(sample => known.Of(sample).Count(print => print is null));
        return [.. split.Samples.SelectMany((sample, index) => known.Of(sample).OfType<ImagePrint>().Select(print =>
            new Print(index, print)))];
    }

    /// <summary>All frames of a short clip; first, middle and last of a long one.</summary>
    private static IEnumerable<Frame> Chosen(IReadOnlyList<Frame> frames) =>
        frames.Count <= 3 ? frames : [frames[0], frames[frames.Count / 2], frames[^1]];

    private static ImagePrint PrintOf(RgbImage image)
    {
        byte[] gray = Gray(image), small = new byte[HashWidth * HashHeight], square = new byte[Side * Side], mirrored;
        byte[] fine = new byte[FineSide * FineSide];
        Resize.Forward<Bilinear>(gray, image.Width, image.Height, 1, HashWidth, HashHeight, small);
        Resize.Forward<Bilinear>(gray, image.Width, image.Height, 1, Side, Side, square);
        Resize.Forward<Bilinear>(gray, image.Width, image.Height, 1, FineSide, FineSide, fine);
        ulong hash = HashOf(small);
        Flip.Horizontal(small, HashWidth, 1);
        mirrored = [.. square];
        Flip.Horizontal(mirrored, Side, 1);
        return new ImagePrint(ExactHash(image), hash, HashOf(small), Normalized(square), Normalized(mirrored),
            DetailOf(fine));
    }

    private static byte[] Gray(RgbImage image)
    {
        var gray = new byte[image.Width * image.Height];
        for (int i = 0; i < gray.Length; i++)
            gray[i] = (byte)((19595 * image.Pixels[3 * i] + 38470 * image.Pixels[3 * i + 1] + 7471
                * image.Pixels[3 * i + 2] + 32768) >> 16);
        return gray;
    }

    private static UInt128 ExactHash(RgbImage image)
    {
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(image.Pixels, hash);
        // The same bytes in another shape are another image.
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(hash) ^ (uint)image.Width;
    }

    private static ulong HashOf(ReadOnlySpan<byte> cells)
    {
        ulong hash = 0;
        for (int y = 0; y < HashHeight; y++)
            for (int x = 0; x < HashWidth - 1; x++)
                hash = hash << 1 | (cells[y * HashWidth + x] < cells[y * HashWidth + x + 1] ? 1u : 0u);
        return hash;
    }

    /// <summary>The details of an image: the image less its coarse light and dark, an 8 x 8 version.</summary>
    private static float[] DetailOf(ReadOnlySpan<byte> fine)
    {
        const int Coarse = 8;
        byte[] coarse = new byte[Coarse * Coarse], smooth = new byte[fine.Length];
        Resize.Forward<Bilinear>(fine, FineSide, FineSide, 1, Coarse, Coarse, coarse);
        Resize.Forward<Bilinear>(coarse, Coarse, Coarse, 1, FineSide, FineSide, smooth);
        var detail = new float[fine.Length];
        for (int i = 0; i < detail.Length; i++)
            detail[i] = fine[i] - smooth[i];
        return detail;
    }

    /// <summary>
    /// Largest correlation of two images' details, one shifted by up to three of 32 pixels along each axis.
    /// </summary>
    private static float DetailCorrelation(float[] a, float[] b, bool mirrored)
    {
        if (mirrored)
        {
            b = [.. b];
            for (int y = 0; y < FineSide; y++)
                b.AsSpan(y * FineSide, FineSide).Reverse();
        }
        float best = -1;
        for (int dy = -MaxShift; dy <= MaxShift; dy++)
        {
            for (int dx = -MaxShift; dx <= MaxShift; dx++)
            {
                int width = FineSide - Math.Abs(dx);
                float product = 0, squaresA = 0, squaresB = 0;
                for (int y = Math.Max(0, -dy); y < Math.Min(FineSide, FineSide - dy); y++)
                {
                    ReadOnlySpan<float> rowA = a.AsSpan(y * FineSide + Math.Max(0, -dx), width);
                    ReadOnlySpan<float> rowB = b.AsSpan((y + dy) * FineSide + Math.Max(0, dx), width);
                    product += TensorPrimitives.Dot(rowA, rowB);
                    squaresA += TensorPrimitives.SumOfSquares(rowA);
                    squaresB += TensorPrimitives.SumOfSquares(rowB);
                }
                if (squaresA > 0 && squaresB > 0)
                    best = Math.Max(best, product / MathF.Sqrt(squaresA * squaresB));
            }
        }
        return best;
    }

    /// <summary>
    /// Mean 0 and length 1, so that a product is the correlation. An image of one color is all zero and like none.
    /// </summary>
    private static float[] Normalized(ReadOnlySpan<byte> pixels)
    {
        var values = new float[pixels.Length];
        float mean = 0;
        foreach (byte value in pixels)
            mean += value;
        mean /= pixels.Length;
        for (int i = 0; i < values.Length; i++)
            values[i] = pixels[i] - mean;
        float length = MathF.Sqrt(TensorPrimitives.SumOfSquares<float>(values));
        if (length > 0)
            TensorPrimitives.Divide(values, length, values);
        return values;
    }
}
