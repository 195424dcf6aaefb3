using System.Text.RegularExpressions;
using static PtxInterpreter.Arithmetic;

namespace PtxInterpreter;

/// <summary>
/// A warp's part in the products of its warpgroup (wgmma): 16 of 64 rows. What is computed is there at once, but until
/// it is waited for the registers may not be touched, nor the shared memory it is made of be written.
/// </summary>
internal sealed class WarpProducts
{
    private readonly Queue<List<Product>> _groups = [];
    private readonly HashSet<int> _inFlight = [], _touched = [];
    private List<Product> _open = [];
    private bool _fenced;

    private readonly record struct Product(int[] Sums, List<int> Chunks);

    /// <summary>Number and hash of what was issued: the same in the four warps of a group.</summary>
    public (int Count, int Hash) Issued { get; private set; }

    /// <summary>Notes that an instruction other than a product uses sums of products.</summary>
    /// <exception cref="PtxException">A product of them has not been waited for.</exception>
    public void Touch(Instruction instruction)
    {
        foreach (int register in instruction.Sums)
            if (_inFlight.Contains(register))
                throw new PtxException($"{instruction.Text} uses the sums of a product that has not been waited for");
        _touched.UnionWith(instruction.Sums);
    }

    /// <summary>wgmma.fence.</summary>
    public void Fence()
    {
        _touched.Clear();
        _fenced = true;
    }

    /// <summary>Starts a product.</summary>
    /// <param name="text">The instruction.</param>
    /// <param name="sums">Its registers.</param>
    /// <param name="chunks">The 16-byte chunks that it reads; <see cref="SharedMemory.ProductRead"/> has counted
    /// them.</param>
    /// <param name="operands">Hash of its descriptors and of whether it adds.</param>
    public void Start(string text, int[] sums, List<int> chunks, int operands)
    {
        if (!_fenced || _touched.Overlaps(sums))
            throw new PtxException($"no wgmma.fence between the last use of the sums and {text}");
        _inFlight.UnionWith(sums);
        _open.Add(new Product(sums, chunks));
        Issued = (Issued.Count + 1, HashCode.Combine(Issued.Hash, text, operands));
    }

    /// <summary>wgmma.commit_group.</summary>
    public void Commit()
    {
        _groups.Enqueue(_open);
        _open = [];
    }

    /// <summary>wgmma.wait_group.</summary>
    public void Await(int left, SharedMemory shared, int warp)
    {
        while (_groups.Count > left)
            foreach (Product product in _groups.Dequeue())
                foreach (int chunk in product.Chunks)
                    shared.ProductDone(chunk, warp);
        _inFlight.Clear();
        foreach (Product product in _groups.SelectMany(group => group).Concat(_open))
            _inFlight.UnionWith(product.Sums);
    }
}

/// <summary>The instructions of products of warpgroups.</summary>
internal sealed partial class PtxProgram
{
    private const int ProductDepth = 16, WarpRows = 16;

    private Action<WarpState, uint> WarpgroupInstruction(string name, string[] operands)
    {
        if (Threads % (4 * WarpState.Lanes) != 0)
            throw new PtxException($"{name} in a block of {Threads} threads: a warpgroup has 128");
        switch (name)
        {
            case "wgmma.fence.sync.aligned":
                return (warp, _) => warp.Products.Fence();
            case "wgmma.commit_group.sync.aligned":
                return (warp, _) => warp.Products.Commit();
            case "wgmma.wait_group.sync.aligned":
                int left = int.Parse(operands[0]);
                return (warp, _) => warp.Products.Await(left, warp.Block.Shared, warp.Index);
        }
        if (ProductName().Match(name) is not { Success: true } shape || operands[4..6] is not ["1", "1"])
            throw new PtxException($"unknown product {name} {string.Join(", ", operands[1..])}");
        int columns = int.Parse(shape.Groups[1].Value);
        Func<ulong, float> number = shape.Groups[2].Value == "f16" ? Half : BFloat;
        int[] sums = [.. Vector(operands[0]).Select(Operand)];
        if (sums.Length != columns / 2)
            throw new PtxException($"{sums.Length} registers for {name}");
        // The fourth says whether the sums are added to: 1, or a predicate.
        int a = Operand(operands[1]), b = Operand(operands[2]), added = Operand(operands[3]);
        bool transposeA = operands[6] == "1", transposeB = operands[7] == "1";
        _sums.UnionWith(sums);
        string text = $"{name} {string.Join(", ", operands[1..])}";
        return (warp, _) =>
        {
            ulong[] registers = warp.Registers;
            ulong left = Same(registers, a, text), right = Same(registers, b, text);
            bool accumulate = Same(registers, added, text) != 0;
            var chunks = new List<int>();
            float[] rows = ReadOperand(left, transposeA, warp.Index % 4 * WarpRows, WarpRows, number, warp, chunks),
                others = ReadOperand(right, transposeB, 0, columns, number, warp, chunks);
            warp.Products.Start(text, sums, chunks, HashCode.Combine(left, right, accumulate));
            for (int index = 0; index < sums.Length; index++)
                for (int lane = 0; lane < WarpState.Lanes; lane++)
                {
                    int row = lane / 4 + (index >> 1 & 1) * 8, column = index / 4 * 8 + lane % 4 * 2 + (index & 1);
                    ref ulong register = ref registers[sums[index] * WarpState.Lanes + lane];
                    float sum = accumulate ? Single(register) : 0;
                    for (int k = 0; k < ProductDepth; k += 8)
                        sum = SumOfProducts(sum, rows.AsSpan(row * ProductDepth + k, 8),
                            others.AsSpan(column * ProductDepth + k, 8));
                    register = Bits(sum);
                }
        };
    }

    private static ulong Same(ulong[] registers, int register, string text)
    {
        ReadOnlySpan<ulong> lanes = registers.AsSpan(register * WarpState.Lanes, WarpState.Lanes);
        return lanes.ContainsAnyExcept(lanes[0]) ? throw new PtxException($"lanes differ in an operand of {text}")
            : lanes[0];
    }

    // Rows of A or columns of B, 16 of depth each, from what a descriptor says: bits 0 to 13 the address, 16 to 29 the
    // leading offset, 32 to 45 the stride offset, all in 16 bytes; 49 to 51 the offset of the base, 62 and 63 the
    // swizzle. Along the depth, eight lines of 128 bytes are eight rows, and the stride offset leads to the next eight.
    // Otherwise eight lines are eight of depth with 64 rows each; the stride offset leads to the next eight of depth,
    // the leading offset to the next 64 rows. An address's bits 4 to 6 are changed by its bits 7 to 9.
    private static float[] ReadOperand(ulong descriptor, bool transposed, int first, int count,
        Func<ulong, float> number, WarpState warp,
        List<int> chunks)
    {
        const ulong Fields = 0x3FFF | 0x3FFFul << 16 | 0x3FFFul << 32 | 7ul << 49 | 3ul << 62;
        ulong start = (descriptor & 0x3FFF) << 4, leading = (descriptor >> 16 & 0x3FFF) << 4,
            stride = (descriptor >> 32 & 0x3FFF) << 4;
        if ((descriptor & ~Fields) != 0 || descriptor >> 62 != 1 || (descriptor >> 49 & 7) != 0)
            throw new PtxException(
                $"descriptor 0x{descriptor:x} is not of a swizzle of 128 bytes with a base offset of 0");
        if ((start & (transposed ? 0x3FFu : 0x380u)) != 0 || (start & 0x7F) > 0x60)
            throw new PtxException(
                $"a matrix for a product begins at shared byte {start}: not where a pattern of 1024 bytes does");
        var values = new float[count * ProductDepth];
        int outer = transposed ? ProductDepth : count, inner = transposed ? count : ProductDepth;
        for (int line = 0; line < outer; line++)
            for (int at = 0; at < inner; at += 8)
            {
                int row = transposed ? first + at : first + line, k = transposed ? line : at;
                ulong address = start + (transposed
                    ? (ulong)(row / 64) * leading + (ulong)(row % 64 * 2) + (ulong)(k / 8) * stride
                    + (ulong)(k % 8 * 128)
                    : (ulong)(row / 8) * stride + (ulong)(row % 8 * 128) + (ulong)(k * 2));
                address ^= (address >> 7 & 7) << 4;
                chunks.Add((int)(address >> 4));
                Span<byte> bytes = warp.Block.Shared.ProductRead(address, warp.Index);
                for (int e = 0; e < 8; e++)
                    values[transposed ? (at + e) * ProductDepth + k : line * ProductDepth + k + e] =
                        number(Read(bytes.Slice(e * 2, 2)));
            }
        return values;
    }

    [GeneratedRegex(@"^wgmma\.mma_async\.sync\.aligned\.m64n(\d+)k16\.f32\.(bf16|f16)\.\2$")]
    private static partial Regex ProductName();
}
