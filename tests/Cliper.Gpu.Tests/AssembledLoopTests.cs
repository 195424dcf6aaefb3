using System.Text.RegularExpressions;
using Cliper.Kernels;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests;

/// <summary>
/// The machine code of the loops that products spend their time in. A quarter of a multiprocessor issues one
/// instruction a cycle, and what stands beside the products must leave its tensor core busy: a loop may have three
/// quarters as many instructions as its products take cycles, the rest is left for waiting. An mma of m16n8k16 takes 8
/// on an A100 (2048 multiply-adds, 256 a cycle) and 6.5 on an H100 (512 a cycle, of which mma.sync reaches some 62 %),
/// a wgmma of m64n256k16 takes 128. Attention's forward pass has the softmax between its products, of which a fifth is
/// left out as long as no maximum rises: it may have as many instructions as there are cycles.
/// </summary>
public sealed partial class AssembledLoopTests
{
    private const double A100 = 8, H100 = 6.5, Warpgroup = 128;

    [TestCase("Gemm Tile128x128 KMajor KMajor Biased Fp16 GlobalPtr16<Fp16>", "sm_80", "HMMA", 32, A100)]
    [TestCase("Gemm Tile128x128 KMajor KMajor Biased Fp16 GlobalPtr16<Fp16>", "sm_90", "HMMA", 32, H100)]
    [TestCase("Gemm Tile128x128 KMajor MnMajor Plain Fp16 GlobalPtr16<Fp16>", "sm_90", "HMMA", 32, H100)]
    [TestCase("Gemm Tile128x128 MnMajor MnMajor Plain Fp16 GlobalPtrFp32", "sm_90", "HMMA", 32, H100)]
    [TestCase("Gemm Tile64x64 KMajor KMajor Biased Fp16 GlobalPtr16<Fp16>", "sm_90", "HMMA", 16, H100)]
    [TestCase("Gemm wgmma KMajor KMajor Biased Fp16 GlobalPtr16<Fp16>", "sm_90a", "HGMMA", 4, Warpgroup)]
    [TestCase("Gemm wgmma KMajor MnMajor Plain Fp16 GlobalPtr16<Fp16>", "sm_90a", "HGMMA", 4, Warpgroup)]
    [TestCase("Gemm wgmma MnMajor MnMajor Plain Fp16 GlobalPtrFp32", "sm_90a", "HGMMA", 4, Warpgroup)]
    [TestCase("Attention forward Fp16 Rows64", "sm_90", "HMMA", 32, H100, 1)]
    [TestCase("Attention forward Fp16 Rows128", "sm_80", "HMMA", 32, A100, 1)]
    [TestCase("Attention forward Fp16 Rows128", "sm_90", "HMMA", 32, H100, 1)]
    [TestCase("Attention backward keys Fp16 Rows64", "sm_80", "HMMA", 32, A100)]
    [TestCase("Attention backward keys Fp16 Rows64", "sm_90", "HMMA", 32, H100)]
    [TestCase("Attention backward queries Fp16 Rows64", "sm_90", "HMMA", 24, H100)]
    [TestCase("Attention backward queries Fp16 Rows128", "sm_80", "HMMA", 24, A100)]
    [TestCase("Attention backward queries Fp16 Rows128", "sm_90", "HMMA", 24, H100)]
    public void ProductsNotOtherInstructionsSetThePace(string name, string architecture, string product, int products,
        double cycles,
        double share = 0.75)
    {
        Ptxas.RequireDisassembler();
        if (architecture == "sm_90a")
            Ptxas.RequireHopper();
        GpuKernel kernel = KernelRegistry.All.Single(kernel => kernel.Name == name);

        string[]? loop = Loops(Ptxas.Disassemble(kernel.Ptx, architecture))
            .Where(loop => loop.Count(operation => operation == product) == products).MinBy(loop => loop.Length);

        Assert.That(loop, Is.Not.Null, $"no loop has {products} products");
        TestContext.Out.WriteLine($"{loop!.Length} instructions, {products} products of {cycles} cycles");
        Assert.That(loop, Has.Length.LessThan(share * products * cycles));
        Assert.That(loop, Has.None.EqualTo("LDL").And.None.EqualTo("STL"));
    }

    // The operations of each loop, from a label to the branch back to it.
    private static IEnumerable<string[]> Loops(string[] lines)
    {
        var operations = new List<string>();
        var labels = new Dictionary<string, int>();
        foreach (string line in lines)
        {
            if (Label().Match(line) is { Success: true } label)
                labels[label.Groups[1].Value] = operations.Count;
            if (Instruction().Match(line) is not { Success: true } instruction)
                continue;
            operations.Add(instruction.Groups[1].Value);
            if (instruction.Groups[1].Value == "BRA" && Target().Match(line) is { Success: true } target
                && labels.TryGetValue(target.Groups[1].Value, out int first))
                yield return [.. operations[first..]];
        }
    }

    [GeneratedRegex(@"^(\.L\w+):")]
    private static partial Regex Label();

    [GeneratedRegex(@"/\*[0-9a-f]{4,5}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)")]
    private static partial Regex Instruction();

    [GeneratedRegex(@"(\.L\w+)\)")]
    private static partial Regex Target();
}
