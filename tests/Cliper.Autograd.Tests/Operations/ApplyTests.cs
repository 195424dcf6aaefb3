using System.Reflection;
using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Tests.Operations;

public sealed class ApplyTests : TapeTests
{
    private static IEnumerable<Type> All => typeof(IUnaryOperation).Assembly.GetTypes()
        .Where(type => type.IsValueType && typeof(IUnaryOperation).IsAssignableFrom(type));

    [TestCaseSource(nameof(All))]
    public void GradientsMatchFiniteDifferences(Type operation)
    {
        Tensor x = Random([3, 19], 1);
        MethodInfo apply = typeof(Tape).GetMethod(nameof(Tape.Apply))!.MakeGenericMethod(operation);
        AssertGradients(tape => (Tensor)apply.Invoke(tape, [x])!, x);
        AssertGradients(tape => tape.Add((Tensor)apply.Invoke(tape, [x])!, (Tensor)apply.Invoke(tape, [x])!), x);
    }
}
