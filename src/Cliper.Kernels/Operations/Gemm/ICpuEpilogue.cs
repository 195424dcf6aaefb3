using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The epilogue of a GEMM, applied to each tile of C while it is in the L1 cache, which saves a pass over memory. A
/// new one is one struct.
/// </summary>
public interface ICpuEpilogue
{
    /// <summary>
    /// The result for <paramref name="lanes"/> neighboring elements of a row, of which the first is (row, column).
    /// </summary>
    /// <param name="sum">The elements of A B, or of C + A B when accumulating.</param>
    /// <param name="row">Row of the result.</param>
    /// <param name="column">First column.</param>
    /// <param name="lanes">Elements that exist: all lanes, or fewer at the right edge; touch no memory beyond.</param>
    V Apply<V>(V sum, int row, int column, int lanes) where V : struct, ILanes<V>;

    /// <summary>Checks the arrays for a result of this size; throws <see cref="ArgumentException"/>.</summary>
    void CheckFits(int rows, int columns);

    /// <summary>The same inside a GPU kernel.</summary>
    GpuEpilogue OnGpu { get; }
}

/// <summary>No epilogue: C = A B.</summary>
public readonly struct NoEpilogue : ICpuEpilogue
{
    /// <inheritdoc/>
    public V Apply<V>(V sum, int row, int column, int lanes) where V : struct, ILanes<V> => sum;

    /// <inheritdoc/>
    public GpuEpilogue OnGpu => GpuEpilogue.None;

    /// <inheritdoc/>
    public void CheckFits(int rows, int columns)
    {
    }
}

/// <summary>A B + bias.</summary>
/// <param name="bias">[columns].</param>
public readonly unsafe struct BiasEpilogue(DeviceArray bias) : ICpuEpilogue
{
    private readonly DeviceArray _bias = bias;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<V>(V sum, int row, int column, int lanes) where V : struct, ILanes<V> =>
        sum + EpilogueLoad.Lanes<V>(_bias, column, lanes);

    /// <inheritdoc/>
    public GpuEpilogue OnGpu => new(typeof(GpuEpilogue.Biased), _bias, default);

    /// <inheritdoc/>
    public void CheckFits(int rows, int columns) => Check.Length(_bias, columns, "bias");
}

/// <summary>f(A B + bias); it can store A B + bias, the pre-activation that the gradient of f needs.</summary>
/// <typeparam name="TOperation">f.</typeparam>
/// <param name="bias">[columns]; null for none.</param>
/// <param name="preActivation">Receives A B + bias, [rows, columns]; null when not wanted.</param>
/// <param name="columns">Columns of the result.</param>
public readonly unsafe struct ActivationEpilogue<TOperation>(DeviceArray bias, DeviceArray preActivation, int columns)
    : ICpuEpilogue where TOperation : struct, IUnaryOperation
{
    private readonly DeviceArray _bias = bias, _preActivation = preActivation;
    private readonly int _columns = columns;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<V>(V sum, int row, int column, int lanes) where V : struct, ILanes<V>
    {
        if (!_bias.IsNull)
            sum += EpilogueLoad.Lanes<V>(_bias, column, lanes);
        if (!_preActivation.IsNull)
        {
            float* target = _preActivation.Floats + (long)row * _columns + column;
            if (lanes == V.Count)
                sum.Store(target);
            else
                sum.StorePartial(target, lanes);
        }
        return TOperation.Forward(sum);
    }

    /// <inheritdoc/>
    public GpuEpilogue OnGpu => new(typeof(GpuEpilogue.Activated<TOperation>), _bias, _preActivation);

    /// <inheritdoc/>
    public void CheckFits(int rows, int columns)
    {
        Check.OptionalLength(_bias, columns, "bias");
        Check.OptionalLength(_preActivation, (long)rows * columns, "preActivation");
    }
}

/// <summary>A B + bias + residual.</summary>
/// <param name="bias">[columns]; null for none.</param>
/// <param name="residual">[rows, columns]; not the result itself: accumulate for that.</param>
/// <param name="columns">Columns of the result.</param>
public readonly unsafe struct ResidualEpilogue(DeviceArray bias, DeviceArray residual, int columns) : ICpuEpilogue
{
    private readonly DeviceArray _bias = bias, _residual = residual;
    private readonly int _columns = columns;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<V>(V sum, int row, int column, int lanes) where V : struct, ILanes<V>
    {
        if (!_bias.IsNull)
            sum += EpilogueLoad.Lanes<V>(_bias, column, lanes);
        return sum + EpilogueLoad.Lanes<V>(_residual, (long)row * _columns + column, lanes);
    }

    /// <inheritdoc/>
    public GpuEpilogue OnGpu => new(typeof(GpuEpilogue.WithResidual), _bias, _residual);

    /// <inheritdoc/>
    public void CheckFits(int rows, int columns)
    {
        Check.OptionalLength(_bias, columns, "bias");
        Check.Length(_residual, (long)rows * columns, "residual");
    }
}

/// <summary>A B * f'(preActivation): the gradient goes back through f in the same pass.</summary>
/// <typeparam name="TOperation">f.</typeparam>
/// <param name="preActivation">Argument of f in the forward pass, [rows, columns].</param>
/// <param name="columns">Columns of the result.</param>
public readonly unsafe struct DerivativeEpilogue<TOperation>(DeviceArray preActivation, int columns) : ICpuEpilogue
    where TOperation : struct, IUnaryOperation
{
    private readonly DeviceArray _preActivation = preActivation;
    private readonly int _columns = columns;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public V Apply<V>(V sum, int row, int column, int lanes) where V : struct, ILanes<V> =>
        sum * TOperation.Derivative(EpilogueLoad.Lanes<V>(_preActivation, (long)row * _columns + column, lanes));

    /// <inheritdoc/>
    public GpuEpilogue OnGpu => new(typeof(GpuEpilogue.TimesDerivative<TOperation>), default, _preActivation);

    /// <inheritdoc/>
    public void CheckFits(int rows, int columns) =>
        Check.Length(_preActivation, (long)rows * columns, "preActivation");
}

internal static unsafe class EpilogueLoad
{
    /// <summary>Lanes [start, start + lanes) of an array; the JIT drops the branch where all lanes count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Lanes<V>(DeviceArray source, long start, int lanes) where V : struct, ILanes<V>
    {
        float* p = source.Floats + start;
        return lanes == V.Count ? V.Load(p) : V.LoadPartial(p, lanes);
    }
}
