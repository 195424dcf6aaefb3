using Cliper.Kernels.Gpu.DeviceCode;

namespace Cliper.Kernels.Operations;

/// <content>Tile shapes and operand layouts, which are type parameters of the kernels.</content>
internal static partial class MmaSyncGemm
{
    /// <summary>A CTA tile with its warps; the static unrolls are as long as the sizes demand.</summary>
    internal interface ICtaTile
    {
        /// <summary>M extent of the CTA tile: rows of C.</summary>
        static abstract int M { get; }

        /// <summary>N extent of the CTA tile: columns of C.</summary>
        static abstract int N { get; }

        /// <summary>M extent of a warp tile.</summary>
        static abstract int WarpM { get; }

        /// <summary>Warps of a CTA.</summary>
        static abstract int Warps { get; }

        /// <summary>CTAs that a multiprocessor must be able to hold.</summary>
        static abstract int MinBlocks { get; }

        /// <summary>Most registers of a thread.</summary>
        static abstract int Registers { get; }

        /// <summary>Whether C may have any number of columns: elements stored one by one are much code.</summary>
        static abstract bool AnyWidth { get; }

        /// <summary>Unrolls over the 16-row A fragments of a warp tile.</summary>
        static abstract void ForFragmentsA<TBody>(ref TBody body) where TBody : struct, IUnrolledBody;

        /// <summary>Unrolls over the 16x8 accumulators of a warp tile.</summary>
        static abstract void ForAccumulators<TBody>(ref TBody body) where TBody : struct, IUnrolledBody;

        /// <summary>Unrolls over the 16-byte copies that a thread makes of a k tile of A.</summary>
        static abstract void ForCopiesA<TBody>(ref TBody body) where TBody : struct, IUnrolledBody;

        /// <summary>Unrolls over the 16-byte copies that a thread makes of a k tile of B.</summary>
        static abstract void ForCopiesB<TBody>(ref TBody body) where TBody : struct, IUnrolledBody;
    }

    /// <summary>128 x 128, warp tiles of 64 x 32: for a large C; two CTAs a multiprocessor.</summary>
    [DeviceCode]
    internal readonly struct Tile128x128 : ICtaTile
    {
        public static int M => 128;
        public static int N => 128;
        public static int WarpM => 64;
        public static int Warps => 8;
        public static int MinBlocks => 2;
        public static int Registers => 128;
        public static bool AnyWidth => false;
        public static void ForFragmentsA<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll4.For(ref body);
        public static void ForAccumulators<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll16.For(ref body);
        public static void ForCopiesA<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll2.For(ref body);
        public static void ForCopiesB<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll2.For(ref body);
    }

    /// <summary>64 x 64, warp tiles of 32 x 32: for a C with few large tiles, and of any width.</summary>
    [DeviceCode]
    internal readonly struct Tile64x64 : ICtaTile
    {
        public static int M => 64;
        public static int N => 64;
        public static int WarpM => 32;
        public static int Warps => 4;
        public static int MinBlocks => 3;
        public static int Registers => 128;
        public static bool AnyWidth => true;
        public static void ForFragmentsA<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll2.For(ref body);
        public static void ForAccumulators<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll8.For(ref body);
        public static void ForCopiesA<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll2.For(ref body);
        public static void ForCopiesB<TBody>(ref TBody body) where TBody : struct, IUnrolledBody =>
            Unroll2.For(ref body);
    }

    /// <summary>
    /// The layout of an operand in global memory, and so in shared memory. MN stands for the dimension that is not K:
    /// M of A, N of B.
    /// </summary>
    internal interface IOperandLayout
    {
        /// <summary>Whether neighbors in memory differ in k (K-major) or in m or n (MN-major).</summary>
        static abstract bool IsKMajor { get; }
    }

    /// <summary>A as [m][k], B as [n][k]: neighbors differ in k.</summary>
    [DeviceCode]
    internal readonly struct KMajor : IOperandLayout
    {
        public static bool IsKMajor => true;
    }

    /// <summary>A as [k][m], B as [k][n]: neighbors differ in m or n.</summary>
    [DeviceCode]
    internal readonly struct MnMajor : IOperandLayout
    {
        public static bool IsKMajor => false;
    }
}
