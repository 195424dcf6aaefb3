using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>Some tokens of every sequence are replaced by others of the sequence's own.</summary>
internal static class InsertEmbeddingsReference
{
    /// <summary>Computes y [sequences, tokens, width]; insert is [sequences, inserted, width].</summary>
    public static void Forward(double[] x, double[] insert, double[] y, InsertEmbeddings.Sizes sizes)
    {
        for (int i = 0; i < y.Length; i++)
            y[i] = Inserted(i, sizes) is int at ? insert[at] : x[i];
    }

    /// <summary>Adds dy to dinsert where a token was replaced, and to dx elsewhere.</summary>
    public static void Backward(double[] dy, double[] dx, double[] dinsert, InsertEmbeddings.Sizes sizes)
    {
        for (int i = 0; i < dy.Length; i++)
            if (Inserted(i, sizes) is int at)
                dinsert[at] += dy[i];
            else
                dx[i] += dy[i];
    }

    // The element of the inserted tokens that stands at element i, or null.
    private static int? Inserted(int i, InsertEmbeddings.Sizes sizes)
    {
        int sequence = i / (sizes.Tokens * sizes.Width), token = i / sizes.Width % sizes.Tokens - sizes.Start;
        return token >= 0 && token < sizes.Inserted
            ? (sequence * sizes.Inserted + token) * sizes.Width + i % sizes.Width : null;
    }
}
