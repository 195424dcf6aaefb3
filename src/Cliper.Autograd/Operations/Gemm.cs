using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.Gemm;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// scale * A B by <see cref="Kernel"/>, of two matrices or of two stacks of as many matrices. Keeps both.
    /// dA = scale * dC Bᵀ and dB = scale * Aᵀ dC.
    /// </summary>
    /// <param name="a">[M, K] or [count, M, K]; innermost axes swapped when <paramref name="transposeA"/>.</param>
    /// <param name="b">[K, N] or [count, K, N]; innermost axes swapped when <paramref name="transposeB"/>.</param>
    /// <param name="transposeA">Whether A is stored transposed.</param>
    /// <param name="transposeB">Whether B is stored transposed.</param>
    /// <param name="scale">Factor.</param>
    /// <returns>[M, N] or [count, M, N].</returns>
    public Tensor MatMul(Tensor a, Tensor b, bool transposeA = false, bool transposeB = false, float scale = 1)
    {
        int rank = a.Shape.Rank, count = rank == 3 ? a.Shape[0] : 1;
        if (rank is not (2 or 3) || b.Shape.Rank != rank || (rank == 3 && b.Shape[0] != count))
            throw new ArgumentException(
                $"no product of {a.Shape} and {b.Shape}: two matrices, or two stacks of as many");
        int rows = a.Shape[transposeA ? -1 : -2], depth = a.Shape[transposeA ? -2 : -1],
            columns = b.Shape[transposeB ? -2 : -1];
        if (b.Shape[transposeB ? -1 : -2] != depth)
            throw new ArgumentException(
                $"no product of {a.Shape} and {b.Shape}: depths {depth} and {b.Shape[transposeB ? -1 : -2]}");

        Tensor c = New(rank == 3 ? new Shape(count, rows, columns) : new Shape(rows, columns));
        long strideA = (long)rows * depth, strideB = (long)depth * columns, strideC = (long)rows * columns;
        Kernel.Batched(Left(a.Data), strideA, Right(b.Data), strideB, Result(c.Data), strideC, count, scale: scale);
        if (!Needs(a, b))
            return c;
        Record(c, () =>
        {
            if (a.RequiresGrad)
                WriteGradient(Result(c.Gradient), strideC, Right(b.Data).Transposed, strideB,
                    Left(Target(a, out bool add)), strideA, transposeA, count, add, scale);
            if (b.RequiresGrad)
                WriteGradient(Left(a.Data).Transposed, strideA, Result(c.Gradient), strideC,
                    Right(Target(b, out bool add)), strideB, transposeB, count, add, scale);
        }, [a, b]);
        return c;

        Matrix Left(DeviceArray data) => AsStored(data, rows, depth, transposeA);
        Matrix Right(DeviceArray data) => AsStored(data, depth, columns, transposeB);
        Matrix Result(DeviceArray data) => new(data, rows, columns);
    }

    private static Matrix AsStored(DeviceArray data, int rows, int columns, bool transposed) =>
        transposed ? new Matrix(data, columns, rows).Transposed : new Matrix(data, rows, columns);

    // The gradient of an operand stored transposed is written as the transpose of the matmul: (X Y)ᵀ = Yᵀ Xᵀ.
    private static void WriteGradient(Matrix x, long strideX, Matrix y, long strideY, Matrix target, long strideTarget,
        bool transposed, int count, bool accumulate, float scale)
    {
        if (transposed)
            Kernel.Batched(y.Transposed, strideY, x.Transposed, strideX, target.Transposed, strideTarget, count,
                accumulate, scale);
        else
            Kernel.Batched(x, strideX, y, strideY, target, strideTarget, count, accumulate, scale);
    }
}
