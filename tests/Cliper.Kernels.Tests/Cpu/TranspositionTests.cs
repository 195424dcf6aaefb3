using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Tests.Simd;

public sealed unsafe class TranspositionTests(SimdLevel level) : HostDevices(level)
{
    [TestCase(1, 1, 16)]
    [TestCase(16, 16, 16)]
    [TestCase(18, 64, 32)]
    [TestCase(31, 20, 32)]
    [TestCase(5, 35, 32)]
    public void TranspositionMovesEveryElementAndPadsWithZero(int rows, int columns, int paddedRows)
    {
        int stride = columns + 3, targetStride = paddedRows + 1;
        float[] source = Random(rows * stride, 1), target = [.. Enumerable.Repeat(7f, columns * targetStride)];
        fixed (float* s = source, t = target)
            switch (Device.Level)
            {
                case SimdLevel.Avx512:
                    Transposition.Run<Lanes512>(s, stride, rows, columns, t, targetStride,
                    paddedRows); break;
                case SimdLevel.Avx2:
                    Transposition.Run<Lanes256>(s, stride, rows, columns, t, targetStride,
                    paddedRows); break;
                default: Transposition.Run<LanesPortable>(s, stride, rows, columns, t, targetStride, paddedRows); break;
            }

        for (int column = 0; column < columns; column++)
            for (int row = 0; row < targetStride; row++)
                Assert.That(target[column * targetStride + row],
                    Is.EqualTo(row < rows ? source[row * stride + column] : row < paddedRows ? 0 : 7),
                    $"{row}, {column}");
    }
}
