using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Resize
{
    private const int FractionBits = 22;
    private const int Half = 1 << (FractionBits - 1);

    private static void ForwardHost<TFilter>(CpuDevice host, Part[] parts) where TFilter : struct, IResizeFilter =>
        host.Pool.Run(parts.Length, (index, _) =>
        {
            Part part = parts[index];
            ForwardHost<TFilter>(part.Source.Bytes, part.Source.Width, part.Source.Channels, part.Geometry,
                part.Target.Bytes);
            if (part.Mirror)
                Flip.Horizontal(part.Target.Bytes, part.Window.Width, part.Source.Channels);
        });

    private static void ForwardHost<TFilter>(ReadOnlySpan<byte> source, int sourceWidth, int channels,
        Geometry geometry, Span<byte> target) where TFilter : struct, IResizeFilter
    {
        (PixelBox crop, int width, int height, PixelBox window) = geometry;
        fixed (byte* start = source, output = target)
        {
            byte* end = start + source.Length;
            nint stride = (nint)sourceWidth * channels;
            byte* input = start + crop.Y * stride + (nint)crop.X * channels;
            using Weights vertical = Weights.Of<TFilter>(crop.Height, height, window.Y, window.Height);
            if (crop.Width == width)
            {
                Vertical(input + (nint)window.X * channels, stride, vertical, output, window.Width * channels,
                    window.Height);
                return;
            }
            using Weights horizontal = Weights.Of<TFilter>(crop.Width, width, window.X, window.Width);
            int firstRow = vertical.Start(0), rows = vertical.End(window.Height - 1) - firstRow;
            if (crop.Height == height)
            {
                Horizontal(input + firstRow * stride, stride, end, channels, horizontal, output, rows);
                return;
            }
            int line = window.Width * channels;
            byte[] between = ArrayPool<byte>.Shared.Rent(rows * line);
            fixed (byte* rowsDone = between)
            {
                Horizontal(input + firstRow * stride, stride, end, channels, horizontal, rowsDone, rows);
                Vertical(rowsDone - (nint)firstRow * line, line, vertical, output, line, window.Height);
            }
            ArrayPool<byte>.Shared.Return(between);
        }
    }

    private static void Horizontal(byte* input, nint stride, byte* end, int channels, Weights weights, byte* output,
        int rows)
    {
        int width = weights.Outputs;
        int read = weights.End(width - 1) * channels;
        for (int row = 0; row < rows; row++, input += stride, output += width * channels)
        {
            if (channels == 1)
            {
                HorizontalGray(input, weights, output, width);
            }
            else if (input + read < end)
            {
                HorizontalColor(input, weights, output, width);
            }
            else
            {
                // A pixel is loaded as four bytes; the last of the buffer has only three.
                byte[] padded = ArrayPool<byte>.Shared.Rent(read + 1);
                new ReadOnlySpan<byte>(input, read).CopyTo(padded);
                fixed (byte* copy = padded)
                    HorizontalColor(copy, weights, output, width);
                ArrayPool<byte>.Shared.Return(padded);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void HorizontalGray(byte* input, Weights weights, byte* output, int width)
    {
        for (int x = 0; x < width; x++)
        {
            int* w = weights.Row(x, out int start, out int count);
            byte* p = input + start;
            int sum = Half;
            for (int i = 0; i < count; i++)
                sum += p[i] * w[i];
            output[x] = (byte)Math.Clamp(sum >> FractionBits, 0, 255);
        }
    }

    /// <summary>One pixel's three channels (and the next byte) are one register of four lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void HorizontalColor(byte* input, Weights weights, byte* output, int width)
    {
        for (int x = 0; x < width; x++, output += 3)
        {
            int* w = weights.Row(x, out int start, out int count);
            byte* p = input + 3 * start;
            Vector128<int> even = Vector128.Create(Half), odd = Vector128<int>.Zero;
            int i = 0;
            for (; i < count - 1; i += 2, p += 6)
            {
                even += Pixel(p) * Vector128.Create(w[i]);
                odd += Pixel(p + 3) * Vector128.Create(w[i + 1]);
            }
            if (i < count)
                even += Pixel(p) * Vector128.Create(w[i]);
            Vector128<int> value = Clamp(Vector128.ShiftRightArithmetic(even + odd, FractionBits));
            output[0] = (byte)value[0];
            output[1] = (byte)value[1];
            output[2] = (byte)value[2];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Pixel(byte* p) =>
        Vector128.WidenLower(Vector128.WidenLower(
            Vector128.CreateScalar(Unsafe.ReadUnaligned<uint>(p)).AsByte())).AsInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Clamp(Vector128<int> v) =>
        Vector128.Min(Vector128.Max(v, Vector128<int>.Zero), Vector128.Create(255));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Vertical(byte* input, nint stride, Weights weights, byte* output, int line, int rows)
    {
        for (int y = 0; y < rows; y++, output += line)
        {
            int* w = weights.Row(y, out int start, out int count);
            byte* top = input + start * stride;
            int x = 0;
            for (; x <= line - 16; x += 16)
            {
                Vector128<int> a = Vector128.Create(Half), b = a, c = a, d = a;
                byte* p = top + x;
                for (int i = 0; i < count; i++, p += stride)
                {
                    Vector128<int> weight = Vector128.Create(w[i]);
                    (Vector128<ushort> low, Vector128<ushort> high) = Vector128.Widen(Vector128.Load(p));
                    a += Vector128.WidenLower(low).AsInt32() * weight;
                    b += Vector128.WidenUpper(low).AsInt32() * weight;
                    c += Vector128.WidenLower(high).AsInt32() * weight;
                    d += Vector128.WidenUpper(high).AsInt32() * weight;
                }
                Vector128<short> first = Vector128.Narrow(Done(a), Done(b)), second = Vector128.Narrow(Done(c),
                    Done(d));
                Vector128.Narrow(first.AsUInt16(), second.AsUInt16()).Store(output + x);
            }
            for (; x < line; x++)
            {
                int sum = Half;
                for (int i = 0; i < count; i++)
                    sum += top[x + i * stride] * w[i];
                output[x] = (byte)Math.Clamp(sum >> FractionBits, 0, 255);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Done(Vector128<int> sum) => Clamp(Vector128.ShiftRightArithmetic(sum, FractionBits));

    /// <summary>Where each output position of an axis begins to read, how many pixels, and their weights.</summary>
    private readonly ref struct Weights
    {
        private readonly int[] _memory;
        private readonly int* _starts;
        private readonly int* _counts;
        private readonly int* _weights;
        private readonly int _perRow;
        private readonly GCHandle _pin;

        private Weights(int outputs, int perRow)
        {
            (_perRow, Outputs) = (perRow, outputs);
            _memory = ArrayPool<int>.Shared.Rent(outputs * (2 + perRow));
            _pin = GCHandle.Alloc(_memory, GCHandleType.Pinned);
            _starts = (int*)_pin.AddrOfPinnedObject();
            _counts = _starts + outputs;
            _weights = _counts + outputs;
        }

        /// <summary>
        /// Weights of the outputs [<paramref name="first"/>, first + <paramref name="outputs"/>) of
        /// <paramref name="size"/>.
        /// </summary>
        public static Weights Of<TFilter>(int sourceSize, int size, int first, int outputs)
            where TFilter : struct, IResizeFilter
        {
            var axis = Axis.Of<TFilter>(sourceSize, size);
            int perRow = axis.MostWeights;
            var result = new Weights(outputs, perRow);
            double* exact = stackalloc double[Math.Min(perRow, 512)];
            double[]? many = perRow > 512 ? new double[perRow] : null;
            fixed (double* manyPointer = many)
            {
                if (many != null)
                    exact = manyPointer;
                for (int output = 0; output < outputs; output++)
                    result.Fill<TFilter>(output, output + first, axis, exact);
            }
            return result;
        }

        /// <summary>Number of outputs.</summary>
        public int Outputs { get; }

        /// <summary>First source pixel of an output.</summary>
        public int Start(int output) => _starts[output];

        /// <summary>End of an output's source pixels.</summary>
        public int End(int output) => _starts[output] + _counts[output];

        /// <summary>The weights of an output.</summary>
        public int* Row(int output, out int start, out int count)
        {
            start = _starts[output];
            count = _counts[output];
            return _weights + output * _perRow;
        }

        public void Dispose()
        {
            _pin.Free();
            ArrayPool<int>.Shared.Return(_memory);
        }

        private void Fill<TFilter>(int output, int position, in Axis axis, double* exact) where TFilter : struct,
            IResizeFilter
        {
            int* weights = _weights + output * _perRow;
            (int start, int count) = axis.Reach(position);
            (_starts[output], _counts[output]) = (start, count);
            if (axis.IsCopy)
            {
                weights[0] = 1 << FractionBits;
                return;
            }
            double sum = 0;
            for (int i = 0; i < count; i++)
                sum += exact[i] = axis.Weight<TFilter>(position, start + i);
            for (int i = 0; i < count; i++)
                weights[i] = Axis.Quantize(exact[i], sum);
        }
    }
}
