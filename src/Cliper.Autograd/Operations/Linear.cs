using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.Gemm;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// activation(x Wᵀ + b), in one pass. Keeps x and, with an activation, what it was applied to. A weight that this
    /// tape does not train is packed once and kept packed until it is written.
    /// </summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in], or [out, ...] with in elements each, such as a convolution's.</param>
    /// <param name="bias">[out]; null for none.</param>
    /// <param name="activation">Applied to the sum.</param>
    /// <returns>[..., out].</returns>
    public Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null, Activation activation = Activation.None)
    {
        int outputs = Outputs(x, weight);
        Tensor y = NewActivation(x.Shape.WithWidth(outputs));
        DeviceArray offset = bias?.Data ?? default;
        bool record = Needs(x, weight, bias);
        DeviceArray pre = record && activation != Activation.None ? Device.Allocate(y.Shape.Count, y.Type) : default;
        if (activation != Activation.None)
            Activations.Find(activation).Accept(new ActivatedProjection(this, x, weight, y, offset, pre));
        else if (bias is not null)
            Project(x, weight, y, new BiasEpilogue(offset));
        else
            Project(x, weight, y, default(NoEpilogue));
        if (!record)
            return y;
        PreActivation? before = y.PreActivation = pre.IsNull ? null : new PreActivation(activation, pre);
        Record(y, () =>
        {
            before?.PassGradient(y.Gradient);
            LinearBackward(x, weight, bias, y.Gradient);
        }, [x, weight], pre);
        return y;
    }

    /// <summary>residual + x Wᵀ + b, in one pass: the end of both halves of a transformer block. Keeps x.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out]; null for none.</param>
    /// <param name="residual">[..., out].</param>
    /// <returns>The shape of <paramref name="residual"/>.</returns>
    public Tensor LinearResidual(Tensor x, Tensor weight, Tensor? bias, Tensor residual)
    {
        int outputs = Outputs(x, weight);
        if (residual.Shape != x.Shape.WithWidth(outputs))
            throw new ArgumentException($"residual is {residual.Shape}, expected {x.Shape.WithWidth(outputs)}",
                nameof(residual));
        Tensor y = New(residual.Shape, residual.Type);
        Project(x, weight, y, new ResidualEpilogue(bias?.Data ?? default, residual.Data, outputs));
        if (Needs(x, weight, bias, residual))
            Record(y, () =>
            {
                LinearBackward(x, weight, bias, y.Gradient);
                PassGradient(y, residual);
            }, [x, weight]);
        return y;
    }

    private static int Outputs(Tensor x, Tensor weight)
    {
        int outputs = weight.Shape[0];
        if (weight.Shape.Count != (long)outputs * x.Shape.Width)
            throw new ArgumentException($"x is {x.Shape}, weight {weight.Shape}: the innermost sizes differ",
                nameof(weight));
        return outputs;
    }

    private void Project<TEpilogue>(Tensor x, Tensor weight, Tensor y, TEpilogue epilogue)
        where TEpilogue : struct, ICpuEpilogue
    {
        int rows = x.Shape.Rows, inputs = x.Shape.Width, outputs = weight.Shape[0];
        Multiply(new Matrix(x.Data, rows, inputs), weight, new Matrix(weight.AsOperand(), outputs, inputs).Transposed,
            "transposed", new Matrix(y.Data, rows, outputs), epilogue, false);
    }

    private void Multiply<TEpilogue>(Matrix left, Tensor weight, Matrix right, string kind, Matrix result,
        TEpilogue epilogue, bool accumulate) where TEpilogue : struct, ICpuEpilogue
    {
        if (Device is CpuDevice && (KeepsPackedWeights || !weight.RequiresGrad))
            Kernel.Run(left, weight.Companion(kind, () => PackedMatrix.Pack(right)), result, epilogue, accumulate);
        else
            Kernel.Run(left, right, result, epilogue, accumulate);
    }

    private void LinearBackward(Tensor x, Tensor weight, Tensor? bias, DeviceArray dy)
    {
        int rows = x.Shape.Rows, inputs = x.Shape.Width, outputs = weight.Shape[0];
        Matrix gradient = new(dy, rows, outputs);
        if (weight.RequiresGrad)
        {
            GradientTarget dweight = Target(weight);
            Kernel.Run(gradient.Transposed, new Matrix(x.Data, rows, inputs),
                new Matrix(dweight.Array, outputs, inputs), dweight.Accumulate);
        }
        if (bias is { RequiresGrad: true })
            ColumnSum.Forward(dy, Target(bias), rows, outputs, outputs);
        if (!x.RequiresGrad)
            return;
        PreActivation? before = x.Consumers == 1 && !x.HasGradient ? x.PreActivation : null;
        var right = new Matrix(weight.AsOperand(), outputs, inputs);
        GradientTarget dx = Target(x);
        if (before is null)
        {
            Multiply(gradient, weight, right, "plain", new Matrix(dx.Array, rows, inputs), default(NoEpilogue),
                dx.Accumulate);
            return;
        }
        Activations.Find(before.Activation).Accept(
            new GradientThroughActivation(this, gradient, weight, right, dx, before.Data));
        before.GradientHasPassed = true;
    }

    /// <summary>y = activation(x Wᵀ + b), what the activation is applied to being kept in
    /// <paramref name="pre"/>.</summary>
    private readonly struct ActivatedProjection(Tape tape, Tensor x, Tensor weight, Tensor y, DeviceArray bias,
        DeviceArray pre) : IActivationVisitor
    {
        public void Visit<TOperation>() where TOperation : struct, IUnaryOperation =>
            tape.Project(x, weight, y, new ActivationEpilogue<TOperation>(bias, pre, weight.Shape[0]));
    }

    /// <summary>The gradient by x, multiplied by the derivative of the activation that x is the result of.</summary>
    private readonly struct GradientThroughActivation(Tape tape, Matrix gradient, Tensor weight, Matrix right,
        GradientTarget dx, DeviceArray pre) : IActivationVisitor
    {
        public void Visit<TOperation>() where TOperation : struct, IUnaryOperation =>
            tape.Multiply(gradient, weight, right, "plain", new Matrix(dx.Array, gradient.Rows, right.Columns),
                new DerivativeEpilogue<TOperation>(pre, right.Columns), dx.Accumulate);
    }
}

/// <summary>
/// The input of an activation. The only operation that reads the activation's result can pass the gradient through
/// the activation in the epilogue of its own GEMM; else that takes a pass over memory.
/// </summary>
/// <param name="activation">The activation.</param>
/// <param name="data">Its input.</param>
internal sealed class PreActivation(Activation activation, DeviceArray data)
{
    /// <summary>The activation.</summary>
    public Activation Activation { get; } = activation;

    /// <summary>The activation's input.</summary>
    public DeviceArray Data { get; } = data;

    /// <summary>Whether the result's gradient already is the gradient by <see cref="Data"/>.</summary>
    public bool GradientHasPassed { get; set; }

    /// <summary>Makes the gradient by the result that by <see cref="Data"/>, in place, where that has not been
    /// done.</summary>
    public void PassGradient(DeviceArray gradient)
    {
        if (GradientHasPassed)
            return;
        Activations.Find(Activation).Accept(new BackwardInPlace(Data, gradient));
    }

    private readonly struct BackwardInPlace(DeviceArray x, DeviceArray gradient) : IActivationVisitor
    {
        public void Visit<TOperation>() where TOperation : struct, IUnaryOperation =>
            Elementwise.Backward<TOperation>(x, gradient, gradient);
    }
}
