using System.Text;

namespace Cliper.Model.Tests;

/// <summary>How files are changed at random, and how often.</summary>
internal static class Fuzzing
{
    private const string Variable = "CLIPER_FUZZ_ROUNDS";

    // Traps for parsers: limits of integers, nesting, ends of objects, halves of characters, repeated names.
    private static readonly string[] Pieces = ["-1", "0", "9223372036854775807", "9223372036854775808",
        "18446744073709551615", "1e400", "-0.5",
        "null", "true", "[]", "{}", "[[[[[[[[", "}", "]", "\"", ",", ":", "\\ud800", "\\u0000", "\u00ff", "F64", "I64",
            "BF16", "data_offsets",
        "shape", "__metadata__", "weight_map", "</w>", "\n", " ",
        // Instructions of pickles, and what zip archives begin their parts with.
        "(", ")", "0", "R", "b", "Q", "t", "u", "s", ".", "]q\u0000", "h\u0000", "h\u0001", "ctorch\nHalfStorage\n",
        "cos\nsystem\n",
        "X\u007f\u007f\u007f\u007f", "J\u0000\u0000\u0000\u007f", "M\u007f\u007f", "PK\u0001\u0002", "PK\u0003\u0004",
        "PK\u0005\u0006"];

    /// <summary>The number that CLIPER_FUZZ_ROUNDS gives, or else <paramref name="usual"/>.</summary>
    public static int Rounds(int usual) => int.TryParse(Environment.GetEnvironmentVariable(Variable), out int rounds)
        ? rounds : usual;

    /// <summary>One to three changes, most within the first <paramref name="end"/> bytes, where the structure
    /// is.</summary>
    public static byte[] Mutate(byte[] whole, int end, Random random)
    {
        List<byte> bytes = [.. whole];
        int changes = random.Next(1, 4);
        for (int change = 0; change < changes && bytes.Count > 0; change++)
        {
            int at = random.Next(random.Next(4) > 0 ? Math.Min(end, bytes.Count) : bytes.Count);
            switch (random.Next(7))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes.RemoveRange(at, Math.Min(bytes.Count - at, random.Next(1, 20))); break;
                case 3: bytes.RemoveRange(at, bytes.Count - at); break;
                case 4: bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)])); break;
                case 5:
                    bytes.InsertRange(at, bytes.GetRange(at,
                    Math.Min(bytes.Count - at, random.Next(1, 60)))); break;
                default:
                    byte[] piece = Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)]);
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at, piece.Length));
                    bytes.InsertRange(at, piece);
                    break;
            }
        }
        return [.. bytes];
    }
}
