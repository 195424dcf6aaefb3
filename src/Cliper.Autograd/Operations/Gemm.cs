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
        Kernel.Batched(Left(a.Data), Right(b.Data), Result(c.Data), count, scale: scale);
        if (!Needs(a, b))
            return c;
        Record(c, () =>
        {
            if (a.RequiresGrad)
            {
                GradientTarget da = Target(a);
                WriteGradient(Result(c.Gradient), Right(b.Data).Transposed, Left(da.Array), transposeA, da.Accumulate);
            }
            if (b.RequiresGrad)
            {
                GradientTarget db = Target(b);
                WriteGradient(Left(a.Data).Transposed, Result(c.Gradient), Right(db.Array), transposeB, db.Accumulate);
            }
        }, [a, b]);
        return c;

        MatrixBatch Left(DeviceArray data) => AsStored(data, rows, depth, transposeA);
        MatrixBatch Right(DeviceArray data) => AsStored(data, depth, columns, transposeB);
        MatrixBatch Result(DeviceArray data) => AsStored(data, rows, columns, transposed: false);

        // The gradient of an operand stored transposed is written as the transpose of the matmul: (X Y)ᵀ = Yᵀ Xᵀ.
        void WriteGradient(MatrixBatch x, MatrixBatch y, MatrixBatch target, bool transposed, bool accumulate)
        {
            if (transposed)
                Kernel.Batched(y.Transposed, x.Transposed, target.Transposed, count, accumulate, scale);
            else
                Kernel.Batched(x, y, target, count, accumulate, scale);
        }
    }

    // Matrices that lie one behind the other without gaps.
    private static MatrixBatch AsStored(DeviceArray data, int rows, int columns, bool transposed) =>
        new(transposed ? new Matrix(data, columns, rows).Transposed : new Matrix(data, rows, columns),
            (long)rows * columns);
}
