using System.Reflection;
using System.Reflection.Emit;

namespace Cliper.Kernels.Tests;

/// <summary>
/// The types that a type of a compiled assembly uses: in signatures, fields, locals and instructions.
/// </summary>
internal static class TypeReferences
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance
        | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly OpCode[] OneByte = Table(size: 1), TwoBytes = Table(size: 2);

    /// <summary>The types of its own assembly that <paramref name="type"/> uses.</summary>
    public static IEnumerable<Type> Of(Type type)
    {
        IEnumerable<Type?> used = [type.BaseType, .. type.GetInterfaces(),
            .. type.GetCustomAttributesData().Select(attribute => attribute.AttributeType),
            .. type.GetFields(All).Select(field => field.FieldType)];
        foreach (MethodBase method in type.GetMethods(All).Concat<MethodBase>(type.GetConstructors(All)))
        {
            used = used.Concat(method.GetParameters().Select(parameter => parameter.ParameterType))
                .Concat(method.GetCustomAttributesData().Select(attribute => attribute.AttributeType))
                .Append((method as MethodInfo)?.ReturnType);
            if (method.IsGenericMethod)
                used = used.Concat(method.GetGenericArguments().SelectMany(type =>
                    type.GetGenericParameterConstraints()));
            if (method.GetMethodBody() is { } body)
                used = used.Concat(body.LocalVariables.Select(local => local.LocalType)).Concat(InBody(method, body));
        }
        return used.OfType<Type>().SelectMany(Parts).Where(part => part.Assembly == type.Assembly).Distinct();
    }

    // The types that a constructed type is made of, itself included.
    private static IEnumerable<Type> Parts(Type type) => type.HasElementType ? Parts(type.GetElementType()!)
        : type.IsFunctionPointer || type.IsGenericParameter ? []
        : [type, .. type.GetGenericArguments().SelectMany(Parts)];

    private static IEnumerable<Type?> InBody(MethodBase method, MethodBody body)
    {
        byte[] code = body.GetILAsByteArray()!;
        Type[] ofType = method.DeclaringType!.GetGenericArguments();
        Type[] ofMethod = method.IsGenericMethod ? method.GetGenericArguments() : [];
        for (int at = 0; at < code.Length;)
        {
            OpCode instruction = code[at] == 0xFE ? TwoBytes[code[at + 1]] : OneByte[code[at]];
            at += instruction.Size;
            if (instruction.OperandType is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType
                or OperandType.InlineTok)
            {
                MemberInfo member = method.Module.ResolveMember(BitConverter.ToInt32(code, at), ofType, ofMethod)!;
                yield return member as Type ?? member.DeclaringType;
                foreach (Type argument in member is MethodInfo { IsGenericMethod: true } generic
                    ? generic.GetGenericArguments() : [])
                    yield return argument;
            }
            at += instruction.OperandType == OperandType.InlineSwitch ? 4 + 4 * BitConverter.ToInt32(code, at)
                : OperandBytes(instruction.OperandType);
        }
    }

    private static int OperandBytes(OperandType type) => type switch
    {
        OperandType.InlineNone => 0,
        OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
        OperandType.InlineVar => 2,
        OperandType.InlineI8 or OperandType.InlineR => 8,
        _ => 4,
    };

    private static OpCode[] Table(int size)
    {
        var table = new OpCode[256];
        foreach (OpCode code in typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Select(field => (OpCode)field.GetValue(null)!).Where(code => code.Size == size))
            table[code.Value & 0xFF] = code;
        return table;
    }
}
