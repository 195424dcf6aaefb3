using System.Reflection;
using System.Reflection.Emit;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests;

/// <summary>
/// Holds the layers of the folders of Cliper.Model, as the compiled assembly has them: no type uses a type of a folder
/// that stands in its own line of the list or in a later one.
/// </summary>
public sealed class FolderLayersTests
{
    private const string Root = "Cliper.Model";

    private static readonly string[][] Layers =
    [
        [""],
        ["IO"],
        ["Text"],
        ["Clip"],
        ["Prompts"],
        ["Weights"],
        ["Images"],
        ["Samples"],
        ["SyntheticFaces", "Faces", "Video"],
        ["DataSets"],
        ["Loading"],
        ["Metrics"],
        ["Settings"],
        ["Checkpoints"],
        ["Inference"],
        ["Stages"],
        ["Interpretation"],
        ["Reporting"],
        ["Runs"],
        ["Diagnostics"],
    ];

    private const BindingFlags All =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static
        | BindingFlags.DeclaredOnly;

    private static readonly OpCode[] OneByte = Table(size: 1), TwoBytes = Table(size: 2);

    [Test]
    public void EveryFolder_HasALayer() =>
        Assert.That(Types().Select(FolderOf).Distinct(), Is.SubsetOf(Layers.SelectMany(layer => layer)));

    [Test]
    public void NoFolder_UsesOneAboveIt()
    {
        var back = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (Type type in Types())
            foreach (Type used in TypesUsedBy(type).Where(used => used.Assembly == type.Assembly))
            {
                (string from, string to) = (FolderOf(type), FolderOf(used));
                if (from != to && LayerOf(to) >= LayerOf(from))
                    back.TryAdd($"{from} -> {to}", $"{type.FullName} uses {used.FullName}");
            }

        Assert.That(back.Select(edge => $"{edge.Key}: {edge.Value}"), Is.Empty);
    }

    private static Type[] Types() => [.. typeof(Trainer).Assembly.GetTypes()
        .Where(type => type.Namespace?.StartsWith(Root, StringComparison.Ordinal) == true)];

    private static string FolderOf(Type type) => type.Namespace!.Length > Root.Length
        ? type.Namespace[(Root.Length + 1)..] : "";

    private static int LayerOf(string folder) => Array.FindIndex(Layers, layer => layer.Contains(folder));

    private static IEnumerable<Type> TypesUsedBy(Type type)
    {
        IEnumerable<Type?> used =
            [type.BaseType, .. type.GetInterfaces(), .. type.GetFields(All).Select(field => field.FieldType)];
        foreach (MethodBase method in type.GetMethods(All).Concat<MethodBase>(type.GetConstructors(All)))
        {
            used = used.Concat(method.GetParameters().Select(parameter => parameter.ParameterType));
            if (method is MethodInfo { ReturnType: var result })
                used = used.Append(result);
            if (method.GetMethodBody() is { } body)
                used = used.Concat(body.LocalVariables
                    .Select(local => local.LocalType)).Concat(TypesInBody(method, body));
        }
        return used.OfType<Type>().SelectMany(Parts)
            .Where(part => part.Namespace?.StartsWith(Root, StringComparison.Ordinal) == true)
            .Distinct();
    }

    /// <summary>The types that a constructed type is made of, itself included.</summary>
    private static IEnumerable<Type> Parts(Type type) => type.HasElementType ? Parts(type.GetElementType()!)
        : type.IsGenericParameter ? []
        : [type, .. type.GetGenericArguments().SelectMany(Parts)];

    /// <summary>The types named by the instructions of a method.</summary>
    private static IEnumerable<Type?> TypesInBody(MethodBase method, MethodBody body)
    {
        byte[] code = body.GetILAsByteArray()!;
        Type[] ofType = method.DeclaringType!.GetGenericArguments(), ofMethod = method.IsGenericMethod
            ? method.GetGenericArguments() : [];
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
            .Select(field => (OpCode)field.GetValue(null)!))
            if (code.Size == size)
                table[code.Value & 0xFF] = code;
        return table;
    }
}
