using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Scaled dot-product attention with several heads (Vaswani et al. 2017, arXiv 1706.03762): for every sample and
/// head, out = softmax(q kᵀ / sqrt(headSize)) v, the softmax over the keys a query may see. One kernel: the scores of
/// a few queries at a time stay in cache and are never written to memory. For the backward pass the forward leaves
/// one number a row, log-sum-exp, from which the probabilities are recomputed (Dao et al. 2022, arXiv 2205.14135).
/// </summary>
/// <remarks>
/// A NaN or infinity in a query, or scores beyond fp32, make NaN of that row of the output alone; in a key or value,
/// of the rows that see it and, under a causal mask, possibly of earlier rows. Keys beyond a sample's key length are
/// never read.
/// </remarks>
public static partial class Attention
{
    /// <summary>Sizes of the problem.</summary>
    /// <param name="Samples">Independent sequences.</param>
    /// <param name="Heads">Heads of a sample.</param>
    /// <param name="HeadSize">Elements of a head's query, key and value.</param>
    /// <param name="Queries">Query rows of a sample.</param>
    /// <param name="Keys">Key and value rows of a sample.</param>
    /// <param name="Causal">Whether query i sees keys [0, i] only; needs as many queries as keys.</param>
    public readonly record struct Sizes(int Samples, int Heads, int HeadSize, int Queries, int Keys, bool Causal)
    {
        /// <summary>Number of log-sum-exps that the forward pass leaves: [samples, heads, queries].</summary>
        public long Statistics => (long)Samples * Heads * Queries;
    }

    /// <summary>
    /// An operand in an array: element c of head h of row t of sample n lies at
    /// <paramref name="Offset"/> + (n rows + t) <paramref name="Stride"/> + h headSize + c. A part of a wider row,
    /// such as the keys in a [samples, rows, 3 width] array of (q | k | v), is an operand as it stands.
    /// </summary>
    /// <param name="Array">fp32 elements.</param>
    /// <param name="Offset">Index of the first element.</param>
    /// <param name="Stride">Elements from one row to the next.</param>
    public readonly record struct Operand(DeviceArray Array, long Offset, int Stride)
    {
        /// <summary>Whether there is none, as for a gradient that is not wanted.</summary>
        public bool IsNull => Array.IsNull;

        /// <summary>The array from the first element on.</summary>
        internal DeviceArray FromFirst => Array.Slice(Offset, Array.Length - Offset);
    }

    /// <summary>The operands that both passes read.</summary>
    /// <param name="Q">Queries, sizes.Queries rows a sample.</param>
    /// <param name="K">Keys, sizes.Keys rows a sample.</param>
    /// <param name="V">Values, sizes.Keys rows a sample.</param>
    /// <param name="KeyLengths">int32 [samples]: sample n sees keys [0, KeyLengths[n]), at least one; null means
    /// all.</param>
    public readonly record struct Inputs(Operand Q, Operand K, Operand V, DeviceArray KeyLengths = default);

    /// <summary>Where the gradient of an operand goes, at the places of an <see cref="Operand"/>.</summary>
    /// <param name="Target">The gradient of the whole array; no target when none is wanted.</param>
    /// <param name="Offset">Index of the first element.</param>
    /// <param name="Stride">Elements from one row to the next.</param>
    public readonly record struct OperandGradient(GradientTarget Target, long Offset, int Stride)
    {
        /// <summary>Whether no gradient is wanted.</summary>
        public bool IsNull => Target.IsNull;

        /// <summary>Whether to add to what stands there.</summary>
        internal bool Accumulate => Target.Accumulate;

        /// <summary>The places of an operand, which are overwritten.</summary>
        public static implicit operator OperandGradient(Operand operand) =>
            new(operand.Array, operand.Offset, operand.Stride);

        /// <summary>The elements that are written.</summary>
        internal Operand Operand => new(Target.Array, Offset, Stride);
    }

    /// <summary>Where the gradients go.</summary>
    /// <param name="Q">Gradient of the queries; none when not wanted.</param>
    /// <param name="K">Gradient of the keys; none when not wanted.</param>
    /// <param name="V">Gradient of the values; wanted, and accumulated, exactly when that of the keys is.</param>
    public readonly record struct Gradients(OperandGradient Q, OperandGradient K, OperandGradient V);

    /// <summary>Forward pass: output = softmax(q kᵀ / sqrt(headSize)) v.</summary>
    /// <param name="sizes">Sizes of the problem.</param>
    /// <param name="inputs">Queries, keys, values and key lengths.</param>
    /// <param name="output">Output, sizes.Queries rows a sample; shares no element with the inputs.</param>
    /// <param name="logSumExp">[samples, heads, queries], for the backward pass; may be null.</param>
    /// <exception cref="ArgumentException">Sizes that do not fit, or a key length outside [1, keys].</exception>
    public static void Forward(in Sizes sizes, in Inputs inputs, in Operand output, DeviceArray logSumExp)
    {
        CheckInputs(inputs, sizes);
        CheckOperand(output, sizes, sizes.Queries, nameof(output));
        Check.OptionalLength(logSumExp, sizes.Statistics, nameof(logSumExp));
        if (sizes.Statistics == 0)
            return;
        switch (output.Array.Device)
        {
            case CpuDevice cpu: ForwardCpu(cpu, sizes, inputs, output, logSumExp); break;
            case GpuDevice gpu: ForwardGpu(gpu, sizes, inputs, output, logSumExp); break;
            default: throw Check.NoImplementation(nameof(Attention), output.Array.Device);
        }
    }

    /// <summary>
    /// Backward pass. With p the probabilities, dp = doutput vᵀ and delta = rowsum(p * dp) = rowsum(doutput * output):
    /// dv = pᵀ doutput, ds = p * (dp - delta) / sqrt(headSize), dq = ds k, dk = dsᵀ q.
    /// </summary>
    /// <param name="sizes">Sizes of the problem.</param>
    /// <param name="inputs">The same as in the forward pass; keys beyond the key lengths get the gradient 0.</param>
    /// <param name="logSumExp">Log-sum-exp that the forward pass stored.</param>
    /// <param name="doutput">Gradient of the output.</param>
    /// <param name="gradients">Where the gradients go.</param>
    /// <param name="output">Output of the forward pass; a GPU computes delta from it, the CPU needs none.</param>
    /// <exception cref="ArgumentException">Sizes that do not fit, or a key length outside [1, keys].</exception>
    public static void Backward(in Sizes sizes, in Inputs inputs, DeviceArray logSumExp, in Operand doutput,
        in Gradients gradients, in Operand output = default)
    {
        CheckInputs(inputs, sizes);
        CheckOperand(doutput, sizes, sizes.Queries, nameof(doutput));
        Check.Length(logSumExp, sizes.Statistics, nameof(logSumExp));
        CheckGradients(gradients, sizes);
        if (sizes.Samples == 0 || (gradients.Q.IsNull && gradients.K.IsNull))
            return;
        switch (doutput.Array.Device)
        {
            case CpuDevice cpu: BackwardCpu(cpu, sizes, inputs, logSumExp, doutput, gradients); break;
            case GpuDevice gpu: BackwardGpu(gpu, sizes, inputs, logSumExp, output, doutput, gradients); break;
            default: throw Check.NoImplementation(nameof(Attention), doutput.Array.Device);
        }
    }

    private static void CheckInputs(in Inputs inputs, in Sizes sizes)
    {
        CheckSizes(sizes, inputs.KeyLengths);
        CheckOperand(inputs.Q, sizes, sizes.Queries, "q");
        CheckOperand(inputs.K, sizes, sizes.Keys, "k");
        CheckOperand(inputs.V, sizes, sizes.Keys, "v");
    }

    private static void CheckGradients(in Gradients gradients, in Sizes sizes)
    {
        (OperandGradient dq, OperandGradient dk, OperandGradient dv) = gradients;
        if (!dq.IsNull)
            CheckOperand(dq.Operand, sizes, sizes.Queries, nameof(dq));
        if (dk.IsNull != dv.IsNull)
            throw new ArgumentException("dk and dv are wanted together or not at all", nameof(gradients));
        if (dk.IsNull)
            return;
        if (dk.Accumulate != dv.Accumulate)
            throw new ArgumentException("dk and dv are accumulated together or not at all", nameof(gradients));
        CheckOperand(dk.Operand, sizes, sizes.Keys, nameof(dk));
        CheckOperand(dv.Operand, sizes, sizes.Keys, nameof(dv));
    }

    private static void CheckSizes(in Sizes sizes, DeviceArray keyLengths)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizes.Samples);
        ArgumentOutOfRangeException.ThrowIfLessThan(sizes.Heads, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sizes.HeadSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sizes.Queries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sizes.Keys, 1);
        if (sizes.Causal && (sizes.Queries != sizes.Keys || !keyLengths.IsNull))
            throw new ArgumentException($"causal attention of {sizes.Queries} queries to {sizes.Keys} keys"
                + (keyLengths.IsNull ? ": needs as many of one as of the other" : " takes no key lengths"));
        Check.OptionalLength(keyLengths, sizes.Samples, nameof(keyLengths), ElementType.Int32);
    }

    private static void CheckOperand(in Operand operand, in Sizes sizes, int rows, string name)
    {
        ArgumentNullException.ThrowIfNull(operand.Array.Device, name);
        int width = sizes.Heads * sizes.HeadSize;
        if (operand.Offset < 0 || operand.Stride < width)
            throw new ArgumentException(
                $"{name} has offset {operand.Offset} and stride {operand.Stride} for rows of {width}", name);
        long needed = sizes.Samples == 0
            ? 0 : operand.Offset + ((long)sizes.Samples * rows - 1) * operand.Stride + width;
        if (operand.Array.Length < needed)
            throw new ArgumentException($"{name} has {operand.Array.Length} elements, needs {needed}", name);
        if (operand.Array.Device is CpuDevice && operand.Array.Type != ElementType.Float32)
            throw new ArgumentException($"{name} is {operand.Array.Type}, expected {ElementType.Float32}", name);
    }
}
