using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Kernel = Cliper.Kernels.Operations.MatMul;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// activation(x Wᵀ + b), in one pass. Keeps x and, with an activation, what it was applied to. A weight that this tape
    /// does not train is packed once and kept packed until it is written.
    /// </summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in], or [out, ...] with in elements each, such as a convolution's.</param>
    /// <param name="bias">[out]; null for none.</param>
    /// <param name="activation">Applied to the sum.</param>
    /// <returns>[..., out].</returns>
    public Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null, Activation activation = Activation.None)
    {
        int outputs = Outputs(x, weight);
        Tensor y = New(x.Shape.WithWidth(outputs));
        DeviceArray offset = bias?.Data ?? default;
        bool record = Needs(x, weight, bias);
        DeviceArray pre = record && activation != Activation.None ? Device.Allocate(y.Shape.Count) : default;
        switch (activation)
        {
            case Activation.QuickGelu:
                Project(x, weight, y, new ActivationEpilogue<QuickGelu>(offset, pre, outputs));
                break;
            case Activation.Gelu:
                Project(x, weight, y, new ActivationEpilogue<Gelu>(offset, pre, outputs));
                break;
            case Activation.None when bias is not null:
                Project(x, weight, y, new BiasEpilogue(offset));
                break;
            case Activation.None:
                Project(x, weight, y, default(NoEpilogue));
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(activation), activation, "no such activation");
        }
        if (record)
            Record(y, () =>
            {
                if (activation == Activation.QuickGelu)
                    Elementwise.Backward<QuickGelu>(pre, y.Gradient, y.Gradient, false);
                else if (activation == Activation.Gelu)
                    Elementwise.Backward<Gelu>(pre, y.Gradient, y.Gradient, false);
                LinearBackward(x, weight, bias, y.Gradient);
            }, [x, weight], pre);
        return y;
    }

    /// <summary>residual + x Wᵀ + b, in one pass: what ends both halves of a transformer block. Keeps x.</summary>
    /// <param name="x">[..., in].</param>
    /// <param name="weight">[out, in].</param>
    /// <param name="bias">[out]; null for none.</param>
    /// <param name="residual">[..., out].</param>
    /// <returns>The shape of <paramref name="residual"/>.</returns>
    public Tensor LinearResidual(Tensor x, Tensor weight, Tensor? bias, Tensor residual)
    {
        int outputs = Outputs(x, weight);
        if (residual.Shape != x.Shape.WithWidth(outputs))
            throw new ArgumentException($"residual is {residual.Shape}, expected {x.Shape.WithWidth(outputs)}", nameof(residual));
        Tensor y = New(residual.Shape);
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
            throw new ArgumentException($"x is {x.Shape}, weight {weight.Shape}: the innermost sizes differ", nameof(weight));
        return outputs;
    }

    private void Project<TEpilogue>(Tensor x, Tensor weight, Tensor y, TEpilogue epilogue) where TEpilogue : struct, IEpilogue
    {
        int rows = x.Shape.Rows, inputs = x.Shape.Width, outputs = weight.Shape[0];
        Matrix left = new(x.Data, rows, inputs), right = new Matrix(weight.Data, outputs, inputs).Transposed;
        Matrix result = new(y.Data, rows, outputs);
        if (KeepsPacked(weight))
            Kernel.Run(left, weight.Companion("transposed", () => PackedMatrix.Pack(right)), result, epilogue);
        else
            Kernel.Run(left, right, result, epilogue);
    }

    // A trained weight changes at every step: packing it by itself would cost a pass over memory for nothing.
    private bool KeepsPacked(Tensor weight) => !Recording || !weight.RequiresGrad;

    private void LinearBackward(Tensor x, Tensor weight, Tensor? bias, DeviceArray dy)
    {
        int rows = x.Shape.Rows, inputs = x.Shape.Width, outputs = weight.Shape[0];
        Matrix gradient = new(dy, rows, outputs);
        if (weight.RequiresGrad)
            Kernel.Run(gradient.Transposed, new Matrix(x.Data, rows, inputs),
                new Matrix(Target(weight, out bool add), outputs, inputs), add);
        if (bias is { RequiresGrad: true })
            ColumnSum.Forward(dy, Target(bias, out bool add), add, rows, outputs, outputs);
        if (x.RequiresGrad)
        {
            Matrix target = new(Target(x, out bool add), rows, inputs), right = new(weight.Data, outputs, inputs);
            if (KeepsPacked(weight))
                Kernel.Run(gradient, weight.Companion("plain", () => PackedMatrix.Pack(right)), target, default(NoEpilogue), add);
            else
                Kernel.Run(gradient, right, target, add);
        }
    }
}
