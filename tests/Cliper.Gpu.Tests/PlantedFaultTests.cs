using System.Text.RegularExpressions;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using PtxInterpreter;

namespace Cliper.Gpu.Tests;

/// <summary>
/// Faults that go unseen until a card computes wrongly, planted in the texts of the wgmma kernel and of attention: each
/// fault is found, by the interpreter or by a wrong result.
/// </summary>
public sealed class PlantedFaultTests
{
    // Five stages, so that each of the four is filled once more while products are under way.
    private const int M = 8, N = 72, K = 5 * 64;

    [TestCase("", "", null)]
    [TestCase("fence.proxy.async.shared::cta;", "", "no fence.proxy.async since")]
    [TestCase("wgmma.fence.sync.aligned;", "", "no wgmma.fence between")]
    [TestCase("wgmma.wait_group.sync.aligned 1;", "", "that a product reads, which has not been waited for")]
    [TestCase("wgmma.wait_group.sync.aligned 0;", "", "uses the sums of a product that has not been waited for")]
    [TestCase("bar.sync\t0;", "", "race")]
    [TestCase("cp.async.wait_group 1;", "", "that a product reads, which has not been waited for")]
    [TestCase("cp.async.wait_group 1;", "cp.async.wait_group 2;",
        "that a product reads, which has not been waited for")]
    // Distance of groups of eight rows, of blocks of 64 columns; where the first block begins; the swizzle.
    [TestCase(", 274877906944;", ", 137438953472;", "wrong")]
    [TestCase(", 33554432;", ", 16777216;", "wrong", true)]
    [TestCase("and.b32\t(%r\\d+, %r\\d+), 4294966272;", "and.b32\t$1, 4294967168;",
        "not where a pattern of 1024 bytes does")]
    [TestCase("and.b32\t(%r\\d+), (%r\\d+), 7;", "add.s32\t$1, $2, 1; and.b32\t$1, $1, 7;", "wrong")]
    [TestCase("xor.b32\t(%r\\d+, %r\\d+, %r\\d+);", "or.b32\t$1;", "wrong")]
    public void IsFound(string what, string instead, string? found, bool outer = false)
    {
        bool planted = what.Length == 0;
        using var device = new InterpretedDevice
        {
            Hopper = true,
            Planted = text => what.Length == 0 ? text : Regex.Replace(text, what, match =>
            {
                planted = true;
                return match.Result(instead);
            }),
        };
        var random = new Random(1);
        float[] a = [.. Enumerable.Range(0, M * K).Select(_ => random.Next(-8, 9) / 8f)],
            b = [.. Enumerable.Range(0, N * K).Select(_ => random.Next(-8, 9) / 8f)];
        DeviceArray left = device.From(a, ElementType.Float16), right = device.From(b, ElementType.Float16),
            c = device.Allocate(M * N);
        Matrix columns = outer ? new Matrix(right, K, N) : new Matrix(right, N, K).Transposed;
        float[]? result = null;
        string? fault = null;
        try
        {
            Gemm.Run(new Matrix(left, M, K), columns, new Matrix(c, M, N));
            result = device.ToFloats(c);
        }
        catch (InvalidOperationException failure)
        {
            fault = failure.Message;
        }
        // Multiples of 1/64 with sums below 2^10: exact in fp32.
        bool correct = result is null
            || Enumerable.Range(0, M * N).All(at => result[at] == Enumerable.Range(0, K).Sum(k =>
            a[at / N * K + k] * (outer ? b[k * N + at % N] : b[at % N * K + k])));

        Assert.That(planted, "the kernel's text has no such place");
        if (found == "wrong")
            Assert.That(correct, Is.False);
        else if (found is null)
            Assert.That((fault, correct), Is.EqualTo(((string?)null, true)));
        else
            Assert.That(fault, Does.Contain(found));
    }

    // Rows of two tiles, of which the second has padding; the diagonal lies in both.
    [TestCase("", "", null)]
    [TestCase("bar.sync\t0;", "", "race")]
    [TestCase("cp.async.wait_group 1;", "", "race")]
    [TestCase("cp.async.wait_group 0;", "", "returns before its copies")]
    // Tiles that begin at no multiple of a row, columns that are further by a sum.
    [TestCase("and.b32\t(%r\\d+), (%r\\d+), 4294967168;", "and.b32\t$1, $2, 4294967168; sub.s32\t$1, $1, 16;", "race")]
    [TestCase("xor.b32\t(%r\\d+, %r\\d+, 32);", "add.s32\t$1;", "out of bounds")]
    public void InAttentionIsFound(string what, string instead, string? found)
    {
        const int Rows = 80, Size = 64;
        bool planted = what.Length == 0;
        float[] expected = Run(null, out _);
        float[] results = Run(text => what.Length == 0 ? text : Regex.Replace(text, what, match =>
        {
            planted = true;
            return match.Result(instead);
        }), out string? fault);

        Assert.That(planted, "the kernels' texts have no such place");
        if (found is null or "wrong")
            Assert.That((fault, results.SequenceEqual(expected)), Is.EqualTo(((string?)null, found is null)));
        else
            Assert.That(fault, Does.Contain(found));

        static float[] Run(Func<string, string>? plant, out string? fault)
        {
            using var device = new InterpretedDevice { Planted = plant };
            var random = new Random(1);
            var sizes = new Attention.Sizes(1, 1, Size, Rows, Rows, Causal: true);
            Attention.Operand q = Make(), k = Make(), v = Make(), d = Make(), output = Make(), dq = Make(), dk = Make(),
                dv = Make();
            DeviceArray logSumExp = device.Allocate(Rows);
            fault = null;
            try
            {
                Attention.Forward(sizes, new(q, k, v), output, logSumExp);
                Attention.Backward(sizes, new(q, k, v), logSumExp, d,
                    new(dq, dk, dv), output);
            }
            catch (InvalidOperationException failure)
            {
                fault = failure.Message;
            }
            return [.. new[] { output, dq, dk, dv }.SelectMany(operand => device.ToFloats(operand.Array))];

            Attention.Operand Make() =>
                new(device.From([.. Enumerable.Range(0, Rows * Size).Select(_ => random.NextSingle() - 0.5f)],
                ElementType.Float16), 0, Size);
        }
    }
}
