using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Cliper.Cli.Tests;

/// <summary>Writes types and members found by reflection as C# declares them.</summary>
internal static class Signatures
{
    private static readonly NullabilityInfoContext Nullability = new();

    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(object)] = "object",
        [typeof(string)] = "string",
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(sbyte)] = "sbyte",
        [typeof(short)] = "short",
        [typeof(ushort)] = "ushort",
        [typeof(int)] = "int",
        [typeof(uint)] = "uint",
        [typeof(long)] = "long",
        [typeof(ulong)] = "ulong",
        [typeof(nint)] = "nint",
        [typeof(nuint)] = "nuint",
        [typeof(float)] = "float",
        [typeof(double)] = "double",
        [typeof(decimal)] = "decimal",
        [typeof(char)] = "char",
    };

    /// <summary>A type with its kind, base type, interfaces and constraints, without its namespace.</summary>
    public static string Declaration(Type type)
    {
        if (typeof(MulticastDelegate).IsAssignableFrom(type))
            return $"{Name(type)} : delegate {Of(type.GetMethod("Invoke")!)}";
        IEnumerable<Type> bases = type.BaseType is { } parent && parent != typeof(object)
            && parent != typeof(ValueType) && parent != typeof(Enum) ? [parent] : [];
        Type[] interfaces = type.IsEnum ? [] : type.GetInterfaces();
        // Interfaces that a base type or another interface brings along, or that every record has, are not repeated.
        IEnumerable<Type> own = interfaces.Where(one => one.IsVisible
            && !(type.BaseType?.GetInterfaces().Contains(one) ?? false)
            && !interfaces.Any(other => other.GetInterfaces().Contains(one))
            && !(IsRecord(type) && one == typeof(IEquatable<>).MakeGenericType(type)));
        string[] above = [.. bases.Concat(own).Select(Name)];
        return $"{Name(type)} : {Kind(type)}"
            + (above.Length == 0 ? "" : $" : {string.Join(", ", above)}")
            + Constraints(type.GetGenericArguments());
    }

    /// <summary>A constructor.</summary>
    public static string Of(ConstructorInfo made) =>
        $"{Access(made)}{BareName(made.DeclaringType!)}({Parameters(made)})";

    /// <summary>A field; a constant with its value.</summary>
    public static string Of(FieldInfo field)
    {
        string access = field.IsPublic ? "" : "protected ";
        string type = Name(Nullability.Create(field));
        if (field.IsLiteral)
            return $"{access}const {type} {field.Name} = {Value(field.GetRawConstantValue())}";
        string kind = (field.IsStatic ? "static " : "") + (field.IsInitOnly ? "readonly " : "");
        return $"{access}{kind}{type} {field.Name}";
    }

    /// <summary>A property or an indexer with the accessors that others may use.</summary>
    public static string Of(PropertyInfo property, bool canGet, bool canSet)
    {
        MethodInfo main = (canGet ? property.GetMethod : property.SetMethod)!;
        string required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
        bool isInit = property.SetMethod?.ReturnParameter.GetRequiredCustomModifiers()
            .Contains(typeof(IsExternalInit)) == true;
        string accessors = (canGet ? "get; " : "") + (canSet ? isInit ? "init; " : "set; " : "");
        ParameterInfo[] index = property.GetIndexParameters();
        string name = index.Length == 0 ? property.Name : $"this[{string.Join(", ", index.Select(Parameter))}]";
        return $"{Access(main)}{Modifiers(main)}{required}{Name(Nullability.Create(property))} {name} {{ {accessors}}}";
    }

    /// <summary>An event.</summary>
    public static string Of(EventInfo raised) => $"{Access(raised.AddMethod!)}{Modifiers(raised.AddMethod!)}event "
        + $"{Name(raised.EventHandlerType!)} {raised.Name}";

    /// <summary>A method with its parameters, default values and constraints.</summary>
    public static string Of(MethodInfo method)
    {
        string generic = method.IsGenericMethod
            ? $"<{string.Join(", ", method.GetGenericArguments().Select(argument => argument.Name))}>" : "";
        string self = method.IsDefined(typeof(ExtensionAttribute)) ? "this " : "";
        return $"{Access(method)}{Modifiers(method)}{Name(Nullability.Create(method.ReturnParameter))} "
            + $"{method.Name}{generic}({self}{Parameters(method)})"
            + (method.IsGenericMethod ? Constraints(method.GetGenericArguments()) : "");
    }

    private static string Access(MethodBase method) => method.IsPublic ? "" : "protected ";

    private static string Modifiers(MethodInfo method) => (method.IsStatic ? "static " : "")
        + (method.IsAbstract ? "abstract " : method is { IsVirtual: true, IsFinal: false } ? "virtual " : "");

    private static string Kind(Type type) => type switch
    {
        { IsEnum: true } => "enum",
        { IsInterface: true } => "interface",
        { IsValueType: true } => (type.IsDefined(typeof(IsReadOnlyAttribute)) ? "readonly " : "")
            + (type.IsByRefLike ? "ref " : "") + (IsRecord(type) ? "record struct" : "struct"),
        { IsAbstract: true, IsSealed: true } => "static class",
        _ => (type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "") + (IsRecord(type) ? "record" : "class"),
    };

    private static bool IsRecord(Type type) => type.GetMethod("PrintMembers",
        BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.DeclaredOnly) is not null;

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo parameter)
    {
        string way = parameter.IsDefined(typeof(ParamArrayAttribute))
            || parameter.IsDefined(typeof(ParamCollectionAttribute)) ? "params "
            : !parameter.ParameterType.IsByRef ? "" : parameter.IsOut ? "out " : parameter.IsIn ? "in " : "ref ";
        string value = parameter.HasDefaultValue ? $" = {Value(parameter.DefaultValue)}" : "";
        return $"{way}{Name(Nullability.Create(parameter))} {parameter.Name}{value}";
    }

    private static string Value(object? value) => value switch
    {
        null => "default",
        string text => $"\"{text}\"",
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Constraints(Type[] arguments) => string.Concat(arguments.Select(argument =>
    {
        GenericParameterAttributes kind = argument.GenericParameterAttributes;
        bool isStruct = kind.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint);
        string[] all =
        [
            .. isStruct ? ["struct"] : Array.Empty<string>(),
            .. kind.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint) ? ["class"] : Array.Empty<string>(),
            .. argument.GetGenericParameterConstraints().Where(type => type != typeof(ValueType)).Select(Name),
            .. !isStruct && kind.HasFlag(GenericParameterAttributes.DefaultConstructorConstraint)
                ? ["new()"] : Array.Empty<string>(),
        ];
        return all.Length == 0 ? "" : $" where {argument.Name} : {string.Join(", ", all)}";
    }));

    private static string Name(Type type) => Name(type, argument => Name(type.GetGenericArguments()[argument]));

    // A reference that may be null has a question mark, at every depth.
    private static string Name(NullabilityInfo info)
    {
        Type type = info.Type;
        string name = type.IsArray ? $"{Name(info.ElementType!)}[{new string(',', type.GetArrayRank() - 1)}]"
            : Name(type, argument => argument < info.GenericTypeArguments.Length
                ? Name(info.GenericTypeArguments[argument]) : Name(type.GetGenericArguments()[argument]));
        bool isNull = info.ReadState == NullabilityState.Nullable || info.WriteState == NullabilityState.Nullable;
        return isNull && !type.IsValueType && !type.IsByRef ? name + "?" : name;
    }

    private static string Name(Type type, Func<int, string> argument)
    {
        if (type.IsByRef)
            return Name(type.GetElementType()!);
        if (type.IsPointer)
            return Name(type.GetElementType()!) + "*";
        if (type.IsArray)
            return $"{Name(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        if (Keywords.TryGetValue(type, out string? keyword))
            return keyword;
        if (type.IsGenericParameter)
            return type.Name;
        string[] arguments = [.. Enumerable.Range(0, type.GetGenericArguments().Length).Select(argument)];
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Nullable<>))
            return arguments[0] + "?";
        if (type.FullName?.StartsWith("System.ValueTuple`", StringComparison.Ordinal) == true)
            return $"({string.Join(", ", arguments)})";
        string outer = type.IsNested ? Name(type.DeclaringType!) + "." : "";
        // A nested type repeats the arguments of the type around it.
        int repeated = type.IsNested ? type.DeclaringType!.GetGenericArguments().Length : 0;
        return outer + BareName(type)
            + (arguments.Length == repeated ? "" : $"<{string.Join(", ", arguments.Skip(repeated))}>");
    }

    private static string BareName(Type type) => type.Name.Split('`')[0];
}
