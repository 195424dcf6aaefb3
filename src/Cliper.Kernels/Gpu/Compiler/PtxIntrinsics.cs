using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;
using ILGPU.Backends.PTX;
using ILGPU.IR;
using ILGPU.IR.Intrinsics;
using ILGPU.IR.Types;
using ILGPU.IR.Values;

namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>
/// Teaches ILGPU's PTX backend the methods that carry a <see cref="PtxAttribute"/>. Values stay in registers: unlike
/// ILGPU's inline assembly, nothing goes through local memory.
/// </summary>
internal static partial class PtxIntrinsics
{
    private readonly record struct Operand(PTXCodeGenerator.HardwareRegister Register, MemoryAddressSpace Space,
        string? Literal = null)
    {
        public override string ToString() => "%" + PTXRegisterAllocator.GetStringRepresentation(Register);
    }

    /// <summary>Registers every method of <paramref name="type"/> that has PTX text.</summary>
    public static Context.Builder WithPtx(this Context.Builder builder, Type type)
    {
        IntrinsicImplementationManager manager = builder.GetIntrinsicManager();
        MethodInfo handler = typeof(PtxIntrinsics).GetMethod(nameof(Generate),
            BindingFlags.Static | BindingFlags.NonPublic)!;
        foreach (MethodInfo method in type.GetMethods(BindingFlags.Static | BindingFlags.Public
            | BindingFlags.NonPublic))
            if (method.IsDefined(typeof(PtxAttribute)))
                manager.RegisterMethod(method, new PTXIntrinsic(handler, IntrinsicImplementationMode.GenerateCode));
        return builder;
    }

    // Called by ILGPU for each use in a kernel.
    private static void Generate(PTXBackend backend, PTXCodeGenerator generator, Value value)
    {
        var call = (MethodCall)value;
        string text = RegisterList().Replace(call.Target.Source.GetCustomAttribute<PtxAttribute>()!.Text, list =>
            "{" + string.Join(',', Enumerable.Range(0, int.Parse(list.Groups[2].Value))
                .Select(index => list.Groups[1].Value + index)) + "}");
        List<Operand> arguments = [], operands = [];
        foreach (ValueReference node in call.Nodes)
            Flatten(generator.Load(node.Resolve()), arguments, generator);
        if (!call.Type.IsVoidType)
            Flatten(generator.Allocate(call), operands, generator);
        operands.AddRange(arguments);

        StringBuilder preparation = new(), body = new();
        int temporaries = 0;
        for (int at = 0; at < text.Length; at++)
        {
            if (text[at] != '$')
            {
                body.Append(text[at]);
                continue;
            }
            char kind = text[++at];
            int start = kind is 's' or 'i' ? ++at : at;
            while (at < text.Length && char.IsAsciiDigit(text[at]))
                at++;
            Operand operand = operands[int.Parse(text.AsSpan(start, at-- - start))];
            body.Append(kind switch
            {
                's' => SharedAddress(operand, preparation, temporaries++),
                'i' => operand.Literal
                ?? throw new InvalidOperationException($"an argument that is no constant in \"{text}\""),
                _ => operand.ToString(),
            });
        }
        generator.Builder.Append('\t');
        if (preparation.Length > 0)
            generator.Builder.Append("{ ").Append(preparation).Append(body).AppendLine(" }");
        else
            generator.Builder.Append(body).AppendLine();
    }

    // A pointer that ILGPU knows to be shared already is an offset in shared memory: converting it once more would give
    // a wrong address that assembles.
    private static string SharedAddress(Operand operand, StringBuilder preparation, int index)
    {
        string name = $"shared{index}";
        preparation.Append(operand.Space switch
        {
            MemoryAddressSpace.Shared => $".reg .b32 {name}; cvt.u32.u64 {name}, {operand}; ",
            MemoryAddressSpace.Generic =>
                $".reg .b32 {name}; .reg .b64 {name}w; cvta.to.shared.u64 {name}w, {operand}; cvt.u32.u64 {name}, "
                + $"{name}w; ",
            _ => throw new InvalidOperationException(
                $"a pointer to {operand.Space} memory where one to shared memory is needed"),
        });
        return name;
    }

    private static void Flatten(PTXCodeGenerator.Register register, List<Operand> target, PTXCodeGenerator generator)
    {
        switch (register)
        {
            case PTXCodeGenerator.CompoundRegister compound:
                foreach (PTXCodeGenerator.Register child in compound.Children)
                    Flatten(child, target, generator);
                break;
            case PTXCodeGenerator.HardwareRegister hardware:
                target.Add(new Operand(hardware,
                    hardware.Type is AddressSpaceType pointer ? pointer.AddressSpace : MemoryAddressSpace.Generic));
                break;
            case PTXCodeGenerator.ConstantRegister constant:
                // The operands of vector instructions must be registers, never literals.
                PTXCodeGenerator.HardwareRegister copy = generator.AllocateRegister(constant.Description);
                using (PTXCodeGenerator.CommandEmitter move = generator.BeginMove())
                {
                    move.AppendRegisterMovementSuffix(constant.BasicValueType);
                    move.AppendArgument(copy);
                    move.AppendArgument(constant);
                }
                target.Add(new Operand(copy, MemoryAddressSpace.Generic,
                    constant.Value.Int64Value.ToString(CultureInfo.InvariantCulture)));
                break;
            default:
                throw new NotSupportedException($"a {register.GetType().Name} as an operand of PTX text");
        }
    }

    [GeneratedRegex(@"\{(%\w+)<(\d+)>\}")]
    private static partial Regex RegisterList();
}
