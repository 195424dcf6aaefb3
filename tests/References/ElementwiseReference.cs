using Cliper.Kernels.Operations;
using NUnit.Framework;

namespace Cliper.References;

/// <summary>
/// The formula of an element-wise operation in double, which every implementation of it is compared with.
/// </summary>
internal interface IElementwiseReference<TOp> where TOp : struct, IUnaryOperation
{
    /// <summary>f(x).</summary>
    static abstract double Forward(double x);
}

/// <summary>Finds the <see cref="IElementwiseReference{TOp}"/> of an operation by reflection.</summary>
internal static class ElementwiseReference
{
    /// <summary>f of the operation, an <see cref="IUnaryOperation"/>; a test without a reference fails.</summary>
    public static Func<double, double> Forward(Type operation)
    {
        Type contract = typeof(IElementwiseReference<>).MakeGenericType(operation);
        Type? reference = typeof(ElementwiseReference).Assembly.GetTypes().SingleOrDefault(type => !type.IsInterface
            && contract.IsAssignableFrom(type));
        Assert.That(reference, Is.Not.Null,
            $"{operation.Name} has no IElementwiseReference: see docs/adding-an-operation.md");
        return reference!.GetMethod(nameof(IElementwiseReference<Exp>.Forward))!.CreateDelegate<Func<double, double>>();
    }

    /// <summary>
    /// f' as the central difference in double: truncation h² f'''/6 is below 1e-9 (1 + |f'|), rounding below 1e-10.
    /// </summary>
    public static double Derivative(Func<double, double> f, double x)
    {
        const double H = 1e-5;
        // At a kink, where the slopes of both sides differ, it is that of the left by convention.
        double left = (f(x) - f(x - H)) / H, right = (f(x + H) - f(x)) / H;
        return Math.Abs(left - right) > .5 * Math.Max(1, Math.Abs(left)) ? left : (f(x + H) - f(x - H)) / (2 * H);
    }

    /// <summary>Adds dy f'(x) to dx.</summary>
    public static void Backward(Func<double, double> f, double[] x, double[] dy, double[] dx)
    {
        for (int i = 0; i < x.Length; i++)
            dx[i] += dy[i] * Derivative(f, x[i]);
    }
}
