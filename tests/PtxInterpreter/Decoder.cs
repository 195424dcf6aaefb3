using static PtxInterpreter.Arithmetic;

namespace PtxInterpreter;

internal sealed partial class PtxProgram
{
    private void Decode(string text)
    {
        var instruction = new Instruction(text);
        Code.Add(instruction);
        if (text[0] == '@')
        {
            int space = text.IndexOfAny([' ', '\t']);
            instruction.GuardNegated = text[1] == '!';
            instruction.Guard = Register(text[(instruction.GuardNegated ? 2 : 1)..space]);
            text = text[space..].Trim();
        }
        int end = text.IndexOfAny([' ', '\t']);
        string name = end < 0 ? text : text[..end];
        string[] operands = end < 0 ? [] : [.. Operands(text[end..].Trim())];
        string[] parts = name.Split('.');
        switch (parts[0])
        {
            case "bra":
                instruction.Kind = InstructionKind.Branch;
                _branches.Add((instruction, operands[0]));
                return;
            case "ret":
                instruction.Kind = InstructionKind.Return;
                return;
            case "bar" when name == "bar.sync" && operands is ["0"]:
                instruction.Kind = InstructionKind.Barrier;
                return;
            case "bar" when name == "bar.warp.sync":
                instruction.Kind = InstructionKind.Collective;
                return;
            case "shfl":
                (instruction.Kind, instruction.Execute) = (InstructionKind.Collective, Shuffle(parts[2], operands));
                return;
            case "ldmatrix":
                (instruction.Kind, instruction.Execute) = (InstructionKind.Collective,
                    LoadMatrix(parts.Contains("trans"), operands));
                return;
            case "mma":
                (instruction.Kind, instruction.Execute) = (InstructionKind.Collective, Mma(name, operands));
                return;
            case "wgmma":
                (instruction.Kind, instruction.Execute) = (InstructionKind.Collective,
                    WarpgroupInstruction(name, operands));
                return;
            case "fence" when name == "fence.proxy.async.shared::cta":
                instruction.Execute = (warp, active) =>
                    ForEachLane(active, lane => warp.Block.Shared.Publish(warp.Index, lane));
                return;
            case "cp":
                instruction.Execute = Copy(name, operands);
                return;
            case "ld" or "st":
                instruction.Execute = Access(name, parts, operands);
                return;
            case "mov" when operands[0][0] == '{' || operands[1][0] == '{':
                instruction.Execute = PackOrUnpack(operands, Size(parts[^1]));
                return;
        }
        instruction.Execute = Calculate(name, parts, operands);
    }

    private Action<WarpState, uint> Calculate(string name, string[] parts, string[] operands)
    {
        int target = Register(operands[0]);
        Func<ulong, ulong, ulong, ulong> function = Arithmetic.Function(name, parts);
        int a = operands.Length > 1 ? Operand(operands[1]) : 0, b = operands.Length > 2 ? Operand(operands[2]) : 0,
            c = operands.Length > 3 ? Operand(operands[3]) : 0;
        ulong mask = ResultMask(name, parts);
        return (warp, active) =>
        {
            ulong[] registers = warp.Registers;
            Span<ulong> to = registers.AsSpan(target * WarpState.Lanes, WarpState.Lanes);
            ReadOnlySpan<ulong> va = registers.AsSpan(a * WarpState.Lanes, WarpState.Lanes),
                vb = registers.AsSpan(b * WarpState.Lanes, WarpState.Lanes),
                vc = registers.AsSpan(c * WarpState.Lanes, WarpState.Lanes);
            for (int lane = 0; lane < WarpState.Lanes; lane++)
                if ((active >> lane & 1) != 0)
                    to[lane] = function(va[lane], vb[lane], vc[lane]) & mask;
        };
    }

    private static ulong ResultMask(string name, string[] parts)
    {
        int size = parts[0] switch
        {
            "setp" or "testp" => 1,
            "mul" or "mad" when parts[1] == "wide" => Size(parts[2]) * 2,
            "cvt" => Size(parts[^2]),
            _ => Size(parts[^1]),
        };
        return size == 8 ? ulong.MaxValue : (1ul << 8 * size) - 1;
    }

    private Action<WarpState, uint> PackOrUnpack(string[] operands, int bytes)
    {
        bool unpack = operands[0][0] == '{';
        int whole = Operand(operands[unpack ? 1 : 0]);
        int[] parts = [.. Vector(operands[unpack ? 0 : 1]).Select(Operand)];
        int bits = bytes * 8 / parts.Length;
        ulong mask = bits == 64 ? ulong.MaxValue : (1ul << bits) - 1;
        return (warp, active) => ForEachLane(active, lane =>
        {
            ulong[] registers = warp.Registers;
            ulong value = 0;
            for (int i = 0; i < parts.Length; i++)
                if (unpack)
                    registers[parts[i] * WarpState.Lanes + lane] = registers[whole * WarpState.Lanes + lane] >> i
                        * bits & mask;
                else
                    value |= (registers[parts[i] * WarpState.Lanes + lane] & mask) << i * bits;
            if (!unpack)
                registers[whole * WarpState.Lanes + lane] = value;
        });
    }

    private unsafe Action<WarpState, uint> Access(string name, string[] parts, string[] operands)
    {
        bool store = parts[0] == "st";
        string space = parts[1];
        if (space is not ("global" or "shared" or "param") || (store && space == "param"))
            throw new PtxException($"generic or unknown address space: {name}");
        (int address, ulong offset) = Address(operands[store ? 0 : 1]);
        int[] values = [.. Vector(operands[store ? 1 : 0]).Select(Operand)];
        int size = Size(parts[^1]), bytes = size * values.Length;
        bool signed = parts[^1][0] == 's';
        string what = store ? "write" : "read";
        return (warp, active) => ForEachLane(active, lane =>
        {
            ulong[] registers = warp.Registers;
            ulong at = registers[address * WarpState.Lanes + lane] + offset;
            Span<byte> memory = space switch
            {
                "global" => new Span<byte>(warp.Block.Global.At(at, bytes, what), bytes),
                "shared" => warp.Block.Shared.At((uint)at, bytes, warp.Index, store, lane),
                _ => warp.Block.Arguments.AsSpan((int)at, bytes),
            };
            for (int i = 0; i < values.Length; i++)
            {
                Span<byte> element = memory.Slice(i * size, size);
                ref ulong register = ref registers[values[i] * WarpState.Lanes + lane];
                if (store)
                    Write(element, register);
                else
                    register = signed ? SignExtended(Read(element), size) : Read(element);
            }
        });
    }

    private Action<WarpState, uint> Shuffle(string mode, string[] operands)
    {
        int target = Register(operands[0].Split('|')[0]), source = Operand(operands[1]), by = Operand(operands[2]);
        return (warp, _) =>
        {
            Span<ulong> to = warp.Registers.AsSpan(target * WarpState.Lanes, WarpState.Lanes);
            ulong[] from = warp.Registers.AsSpan(source * WarpState.Lanes, WarpState.Lanes).ToArray();
            for (int lane = 0; lane < WarpState.Lanes; lane++)
            {
                int distance = (int)warp.Registers[by * WarpState.Lanes + lane];
                int other = mode switch
                {
                    "bfly" => lane ^ distance,
                    "down" => lane + distance,
                    "up" => lane - distance,
                    "idx" => distance & 31,
                    _ => throw new PtxException($"shfl.{mode}"),
                };
                to[lane] = from[other is >= 0 and < WarpState.Lanes ? other : lane];
            }
        };
    }

    private Action<WarpState, uint> LoadMatrix(bool transposed, string[] operands)
    {
        int[] targets = [.. Vector(operands[0]).Select(Operand)];
        (int address, ulong offset) = Address(operands[1]);
        return (warp, _) =>
        {
            ulong[] registers = warp.Registers;
            var addresses = registers.AsSpan(address * WarpState.Lanes, WarpState.Lanes).ToArray();
            Span<ushort> matrix = stackalloc ushort[64];
            for (int index = 0; index < targets.Length; index++)
            {
                for (int row = 0; row < 8; row++)
                {
                    Span<byte> bytes = warp.Block.Shared.At((uint)(addresses[index * 8 + row] + offset), 16, warp.Index,
                        write: false);
                    for (int column = 0; column < 8; column++)
                        matrix[transposed ? column * 8 + row : row * 8 + column] =
                            (ushort)Read(bytes.Slice(column * 2, 2));
                }
                for (int lane = 0; lane < WarpState.Lanes; lane++)
                {
                    int at = lane / 4 * 8 + lane % 4 * 2;
                    registers[targets[index] * WarpState.Lanes + lane] = matrix[at] | (ulong)matrix[at + 1] << 16;
                }
            }
        };
    }

    private Action<WarpState, uint> Mma(string name, string[] operands)
    {
        Func<ulong, float> number = name switch
        {
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32" => Half,
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32" => BFloat,
            _ => throw new PtxException($"unknown product {name}"),
        };
        int[] d = [.. Vector(operands[0]).Select(Operand)], a = [.. Vector(operands[1]).Select(Operand)],
            b = [.. Vector(operands[2]).Select(Operand)], c = [.. Vector(operands[3]).Select(Operand)];
        return (warp, _) =>
        {
            ulong[] registers = warp.Registers;
            Span<float> left = stackalloc float[16 * 16], right = stackalloc float[8 * 16], sums = stackalloc float[4];
            for (int lane = 0; lane < WarpState.Lanes; lane++)
            {
                int group = lane / 4, pair = lane % 4 * 2;
                for (int e = 0; e < 4; e++)
                {
                    ulong value = registers[a[e] * WarpState.Lanes + lane];
                    int at = (group + (e & 1) * 8) * 16 + pair + (e >> 1) * 8;
                    (left[at], left[at + 1]) = (number(value), number(value >> 16));
                }
                for (int e = 0; e < 2; e++)
                {
                    ulong value = registers[b[e] * WarpState.Lanes + lane];
                    int at = group * 16 + pair + e * 8;
                    (right[at], right[at + 1]) = (number(value), number(value >> 16));
                }
            }
            for (int lane = 0; lane < WarpState.Lanes; lane++)
            {
                for (int e = 0; e < 4; e++)
                {
                    int row = (lane / 4 + (e >> 1) * 8) * 16, column = (lane % 4 * 2 + (e & 1)) * 16;
                    float sum = Single(registers[c[e] * WarpState.Lanes + lane]);
                    for (int k = 0; k < 16; k += 8)
                        sum = SumOfProducts(sum, left.Slice(row + k, 8), right.Slice(column + k, 8));
                    sums[e] = sum;
                }
                for (int e = 0; e < 4; e++)
                    registers[d[e] * WarpState.Lanes + lane] = Bits(sums[e]);
            }
        };
    }

    // The data arrives when the thread waits for it. Until then the place holds NaN, and may be touched by no other
    // warp.
    private unsafe Action<WarpState, uint> Copy(string name, string[] operands)
    {
        if (name == "cp.async.commit_group")
            return (warp, active) => ForEachLane(active, lane =>
            {
                warp.Groups[lane].Enqueue(warp.Copies[lane]);
                warp.Copies[lane] = [];
            });
        if (name == "cp.async.wait_group")
        {
            int left = int.Parse(operands[0]);
            return (warp, active) => ForEachLane(active, lane =>
            {
                while (warp.Groups[lane].Count > left)
                    foreach (WarpState.Copy copy in warp.Groups[lane].Dequeue())
                    {
                        Span<byte> to = warp.Block.Shared.At(copy.Shared, copy.Bytes, warp.Index, write: true, lane);
                        to.Clear();
                        if (copy.Valid > 0)
                            new Span<byte>(warp.Block.Global.At(copy.Global, copy.Valid, "copy", copy.Bytes),
                                copy.Valid).CopyTo(to);
                    }
            });
        }
        if (name is not ("cp.async.cg.shared.global" or "cp.async.ca.shared.global"))
            throw new PtxException($"unknown copy {name}");
        (int shared, ulong sharedOffset) = Address(operands[0]);
        (int global, ulong globalOffset) = Address(operands[1]);
        int bytes = int.Parse(operands[2]), valid = operands.Length > 3 ? Operand(operands[3]) : -1;
        return (warp, active) => ForEachLane(active, lane =>
        {
            ulong[] registers = warp.Registers;
            ulong to = (uint)(registers[shared * WarpState.Lanes + lane] + sharedOffset);
            warp.Block.Shared.At(to, bytes, warp.Index, write: true, lane).Fill(0xff);
            warp.Copies[lane].Add(new WarpState.Copy(to, registers[global * WarpState.Lanes + lane] + globalOffset,
                bytes,
                valid < 0 ? bytes : (int)registers[valid * WarpState.Lanes + lane]));
        });
    }

    private static void ForEachLane(uint active, Action<int> action)
    {
        for (int lane = 0; lane < WarpState.Lanes; lane++)
            if ((active >> lane & 1) != 0)
                action(lane);
    }

    private static IEnumerable<string> Vector(string operand) => operand.Trim('{', '}').Split(',').Select(part =>
        part.Trim());

    private static IEnumerable<string> Operands(string text)
    {
        int start = 0, depth = 0;
        for (int at = 0; at < text.Length; at++)
        {
            if (text[at] is '{' or '[')
                depth++;
            else if (text[at] is '}' or ']')
                depth--;
            else if (text[at] == ',' && depth == 0)
            {
                yield return text[start..at].Trim();
                start = at + 1;
            }
        }
        yield return text[start..].Trim();
    }
}
