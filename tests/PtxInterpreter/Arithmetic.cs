using System.Numerics;

namespace PtxInterpreter;

/// <summary>Computes instructions on the bits of their operands, for one thread.</summary>
internal static class Arithmetic
{
    public static float Single(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    public static float Half(ulong bits) => (float)BitConverter.UInt16BitsToHalf((ushort)bits);

    public static float BFloat(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    public static ulong Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    public static ulong HalfBits(float value) => BitConverter.HalfToUInt16Bits((System.Half)value);

    /// <summary>Rounded to nearest, ties to even; every NaN becomes the one of the manual.</summary>
    public static ulong BFloatBits(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value), kept = bits >> 16, rest = bits & 0xffff;
        if (float.IsNaN(value))
            return 0x7fff;
        return rest > 0x8000 || (rest == 0x8000 && (kept & 1) != 0) ? kept + 1 : kept;
    }

    public static ulong Read(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        1 => bytes[0],
        2 => BitConverter.ToUInt16(bytes),
        4 => BitConverter.ToUInt32(bytes),
        _ => BitConverter.ToUInt64(bytes),
    };

    public static void Write(Span<byte> bytes, ulong value)
    {
        switch (bytes.Length)
        {
            case 1: bytes[0] = (byte)value; break;
            case 2: BitConverter.TryWriteBytes(bytes, (ushort)value); break;
            case 4: BitConverter.TryWriteBytes(bytes, (uint)value); break;
            default: BitConverter.TryWriteBytes(bytes, value); break;
        }
    }

    public static ulong SignExtended(ulong value, int bytes) => bytes switch
    {
        1 => (ulong)(sbyte)value,
        2 => (ulong)(short)value,
        4 => (ulong)(int)value,
        _ => value,
    };

    /// <summary>The function of an instruction.</summary>
    public static Func<ulong, ulong, ulong, ulong> Function(string name, string[] parts)
    {
        string type = parts[^1];
        bool flush = parts.Contains("ftz");
        return parts[0] switch
        {
            "mov" => (a, _, _) => a,
            "cvta" => throw new PtxException($"generic address: {name}"),
            "cvt" => Convert(name, parts, flush),
            "setp" => Compare(name, parts, type, flush),
            "testp" => parts[1] switch
            {
                "notanumber" => (a, _, _) => float.IsNaN(Single(a)) ? 1u : 0u,
                "infinite" => (a, _, _) => float.IsInfinity(Single(a)) ? 1u : 0u,
                "finite" => (a, _, _) => float.IsFinite(Single(a)) ? 1u : 0u,
                _ => throw new PtxException($"unknown instruction {name}"),
            },
            "selp" => (a, b, c) => (c & 1) != 0 ? a : b,
            "not" => type == "pred" ? (a, _, _) => a ^ 1 : (a, _, _) => ~a,
            "and" => (a, b, _) => a & b,
            "or" => (a, b, _) => a | b,
            "xor" => (a, b, _) => a ^ b,
            "shl" => (a, b, _) => (uint)b > 63 ? 0 : a << (int)b,
            "shr" => type switch
            {
                "s32" => (a, b, _) => (ulong)((int)a >> (int)Math.Min((uint)b, 31)),
                "u32" or "b32" => (a, b, _) => (uint)b > 31 ? 0 : (uint)a >> (int)b,
                "s64" => (a, b, _) => (ulong)((long)a >> (int)Math.Min((uint)b, 63)),
                "u64" or "b64" => (a, b, _) => (uint)b > 63 ? 0 : a >> (int)b,
                _ => throw new PtxException($"unknown instruction {name}"),
            },
            "ex2" => Unary(flush, x => x == 0 ? 1 : Off(MathF.Pow(2, x), x, 22)),
            "lg2" => Unary(flush, x => x is > .5f and < 2 ? MathF.Log2(x) + Off(1, x, 22) - 1
            : Off(MathF.Log2(x), x, 22)),
            "rcp" when type == "f32" => Unary(flush, x => Off(1 / x, x, 23)),
            "sqrt" => Unary(flush, x => Off(MathF.Sqrt(x), x, 23)),
            "rsqrt" => Unary(flush, x => Off(1 / MathF.Sqrt(x), x, 22.9)),
            "neg" => type switch
            {
                "f32" => (a, _, _) => a ^ 0x80000000,
                "f64" => (a, _, _) => a ^ 1ul << 63,
                _ => (a, _, _) => 0 - a,
            },
            "abs" => type switch
            {
                "f64" => (a, _, _) => a & long.MaxValue,
                "f32" => (a, _, _) => a & 0x7fffffff,
                "s32" => (a, _, _) => (ulong)Math.Abs((int)a),
                _ => throw new PtxException($"unknown instruction {name}"),
            },
            "mul" or "mad" when parts[1] == "wide" => parts[2] == "s32"
                ? (a, b, c) => (ulong)((long)(int)a * (int)b) + (parts[0] == "mad" ? c : 0)
                : (a, b, c) => (ulong)(uint)a * (uint)b + (parts[0] == "mad" ? c : 0),
            "mul" when parts[1] == "hi" => type switch
            {
                "u32" => (a, b, _) => (ulong)(uint)a * (uint)b >> 32,
                "s32" => (a, b, _) => (ulong)((long)(int)a * (int)b >> 32),
                _ => throw new PtxException($"unknown instruction {name}"),
            },
            _ when type == "f32" => SingleFunction(name, parts, flush),
            _ when type == "f64" => DoubleFunction(name, parts),
            _ => Integer(name, parts[0], type),
        };
    }

    /// <summary>
    /// A sum of eight products and what they are added to, as tensor cores make it: all are cut, not rounded, to 24
    /// bits from the largest's first bit on, added without a rounding, and cut once more (Fasi et al. 2021, doi
    /// 10.7717/peerj-cs.330; later GPUs keep a few bits more).
    /// </summary>
    public static float SumOfProducts(float sum, ReadOnlySpan<float> left, ReadOnlySpan<float> right)
    {
        Span<float> terms = stackalloc float[left.Length + 1];
        float largest = MathF.Abs(terms[0] = sum), plain = sum;
        for (int k = 0; k < left.Length; k++)
        {
            terms[k + 1] = left[k] * right[k];
            plain += terms[k + 1];
            largest = MathF.Max(largest, MathF.Abs(terms[k + 1]));
        }
        int exponent = (BitConverter.SingleToInt32Bits(largest) >> 23) - 23;
        // Zero, so small that nothing is cut, infinity or NaN.
        if (exponent is <= 0 or >= 255 - 23)
            return plain;
        float unit = BitConverter.Int32BitsToSingle(exponent << 23);
        long units = 0;
        foreach (float term in terms)
            units += (long)(term / unit);
        int excess = Math.Max(0, 40 - BitOperations.LeadingZeroCount((ulong)Math.Abs(units)));
        return units / (1L << excess) * (float)(1L << excess) * unit;
    }

    // Approximate instructions are off by what the manual allows, 2^-bits of the result, up or down as their operand's
    // bits have it.
    private static float Off(float value, float operand, double bits)
    {
        float off = (float)(value * Math.Pow(2, -bits));
        bool down = (BitOperations.PopCount(BitConverter.SingleToUInt32Bits(operand)) & 1) == 0;
        return !float.IsFinite(value) ? value : down ? value - off : value + off;
    }

    private static float Flush(float value) => MathF.Abs(value) < 1.17549435e-38f ? MathF.CopySign(0, value) : value;

    private static float Flush(bool flush, float value) => flush ? Flush(value) : value;

    private static Func<ulong, ulong, ulong, ulong> Unary(bool flush, Func<float, float> function) =>
        (a, _, _) => Bits(Flush(flush, function(Flush(flush, Single(a)))));

    private static Func<ulong, ulong, ulong, ulong> SingleFunction(string name, string[] parts, bool flush)
    {
        Func<float, float, float, float> function = parts[0] switch
        {
            "add" => (a, b, _) => a + b,
            "sub" => (a, b, _) => a - b,
            "mul" => (a, b, _) => a * b,
            "div" when parts[1] == "approx" => (a, b, _) => Off(a / b, b, 22),
            "div" => (a, b, _) => a / b,
            "fma" or "mad" => MathF.FusedMultiplyAdd,
            // The host's maximum is NaN where either is.
            "max" when parts[1] == "NaN" => (a, b, _) => MathF.Max(a, b),
            "max" => (a, b, _) => float.IsNaN(a) ? b : float.IsNaN(b) ? a : MathF.Max(a, b),
            "min" => (a, b, _) => float.IsNaN(a) ? b : float.IsNaN(b) ? a : MathF.Min(a, b),
            _ => throw new PtxException($"unknown instruction {name}"),
        };
        return flush
            ? (a, b, c) => Bits(Flush(function(Flush(Single(a)), Flush(Single(b)), Flush(Single(c)))))
            : (a, b, c) => Bits(function(Single(a), Single(b), Single(c)));
    }

    private static Func<ulong, ulong, ulong, ulong> DoubleFunction(string name, string[] parts)
    {
        Func<double, double, double, double> function = parts[0] switch
        {
            "add" => (a, b, _) => a + b,
            "sub" => (a, b, _) => a - b,
            "mul" => (a, b, _) => a * b,
            "div" => (a, b, _) => a / b,
            "fma" => Math.FusedMultiplyAdd,
            "max" => (a, b, _) => double.IsNaN(a) ? b : double.IsNaN(b) ? a : Math.Max(a, b),
            "rcp" => (a, _, _) => 1 / a,
            _ => throw new PtxException($"unknown instruction {name}"),
        };
        return (a, b, c) => BitConverter.DoubleToUInt64Bits(function(BitConverter.UInt64BitsToDouble(a),
            BitConverter.UInt64BitsToDouble(b), BitConverter.UInt64BitsToDouble(c)));
    }

    private static Func<ulong, ulong, ulong, ulong> Integer(string name, string operation, string type)
    {
        bool signed = type[0] == 's';
        int size = PtxProgram.Size(type);
        Func<ulong, ulong> widen = signed ? value => SignExtended(value, size)
            : size == 8 ? value => value : value => value & (1ul << 8 * size) - 1;
        return operation switch
        {
            "add" => (a, b, _) => a + b,
            "sub" => (a, b, _) => a - b,
            "mul" => (a, b, _) => a * b,
            "mad" => (a, b, c) => a * b + c,
            "div" when signed => (a, b, _) => (ulong)((long)widen(a) / (long)widen(b)),
            "div" => (a, b, _) => widen(a) / widen(b),
            "rem" when signed => (a, b, _) => (ulong)((long)widen(a) % (long)widen(b)),
            "rem" => (a, b, _) => widen(a) % widen(b),
            "min" when signed => (a, b, _) => (ulong)Math.Min((long)widen(a), (long)widen(b)),
            "min" => (a, b, _) => Math.Min(widen(a), widen(b)),
            "max" when signed => (a, b, _) => (ulong)Math.Max((long)widen(a), (long)widen(b)),
            "max" => (a, b, _) => Math.Max(widen(a), widen(b)),
            _ => throw new PtxException($"unknown instruction {name}"),
        };
    }

    private static Func<ulong, ulong, ulong, ulong> Convert(string name, string[] parts, bool flush)
    {
        if (name == "cvt.rn.f16x2.f32")
            return (high, low, _) => HalfBits(Single(high)) << 16 | HalfBits(Single(low));
        if (name == "cvt.rn.bf16x2.f32")
            return (high, low, _) => BFloatBits(Single(high)) << 16 | BFloatBits(Single(low));
        if (name == "cvt.rn.bf16.f32")
            return (a, _, _) => BFloatBits(Single(a));
        string to = parts[^2], from = parts[^1];
        if (from[0] == 'f' && to[0] != 'f')
            return parts[1] switch
            {
                // A value out of range becomes the nearest one in range, and NaN zero, as in C#.
                "rzi" when to == "s32" => (a, _, _) => (ulong)(int)ToDouble(a, from),
                "rzi" when to == "s64" => (a, _, _) => (ulong)(long)ToDouble(a, from),
                "rni" => (a, _, _) => (ulong)(long)Math.Round(ToDouble(a, from), MidpointRounding.ToEven),
                _ => throw new PtxException($"unknown conversion {name}"),
            };
        if (to[0] == 'f')
        {
            if (from is "u64" or "b64")
                throw new PtxException($"unknown conversion {name}");
            return to switch
            {
                "f16" => (a, _, _) => HalfBits((float)ToDouble(a, from)),
                "f32" => (a, _, _) => Bits(Flush(flush, (float)ToDouble(a, from))),
                _ => (a, _, _) => BitConverter.DoubleToUInt64Bits(ToDouble(a, from)),
            };
        }
        int size = PtxProgram.Size(from);
        return from[0] == 's' ? (a, _, _) => SignExtended(a, size) : size == 8 ? (a, _, _) => a : (a, _, _) =>
            a & (1ul << 8 * size) - 1;
    }

    private static double ToDouble(ulong bits, string type) => type switch
    {
        "f16" => Half(bits),
        "f32" => Single(bits),
        "f64" => BitConverter.UInt64BitsToDouble(bits),
        _ when type[0] == 's' => (long)SignExtended(bits, PtxProgram.Size(type)),
        _ => bits & (1ul << 8 * PtxProgram.Size(type)) - 1,
    };

    private static Func<ulong, ulong, ulong, ulong> Compare(string name, string[] parts, string type, bool flush)
    {
        string how = parts[1];
        if (parts.Length > 3 && parts[2] is "and" or "or" or "xor")
            throw new PtxException($"unknown comparison {name}");
        if (type[0] == 'f')
            return (a, b, _) =>
            {
                double x = ToDouble(a, type), y = ToDouble(b, type);
                if (flush)
                    (x, y) = (Flush((float)x), Flush((float)y));
                bool unordered = double.IsNaN(x) || double.IsNaN(y);
                return how switch
                {
                    "eq" => x == y,
                    "ne" => x != y && !unordered,
                    "lt" => x < y,
                    "le" => x <= y,
                    "gt" => x > y,
                    "ge" => x >= y,
                    "equ" => x == y || unordered,
                    "neu" => x != y,
                    "ltu" => x < y || unordered,
                    "leu" => x <= y || unordered,
                    "gtu" => x > y || unordered,
                    "geu" => x >= y || unordered,
                    "num" => !unordered,
                    "nan" => unordered,
                    _ => throw new PtxException($"unknown comparison {name}"),
                } ? 1u : 0u;
            };
        int size = PtxProgram.Size(type);
        return (a, b, _) =>
        {
            int order = type == "pred" ? (a & 1).CompareTo(b & 1)
                : type[0] == 's' ? ((long)SignExtended(a, size)).CompareTo((long)SignExtended(b, size))
                : size == 8 ? a.CompareTo(b) : (a & (1ul << 8 * size) - 1).CompareTo(b & (1ul << 8 * size) - 1);
            return how switch
            {
                "eq" => order == 0,
                "ne" => order != 0,
                "lt" or "lo" => order < 0,
                "le" or "ls" => order <= 0,
                "gt" or "hi" => order > 0,
                "ge" or "hs" => order >= 0,
                _ => throw new PtxException($"unknown comparison {name}"),
            } ? 1u : 0u;
        };
    }
}
