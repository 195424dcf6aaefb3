using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using static System.Reflection.BindingFlags;

namespace Cliper.Cli.Tests;

/// <summary>
/// Writes what an assembly promises to others as text: each public type, and each member that is public or, where the
/// type can be derived from, protected. Members that the compiler makes of a record, and overrides, promise nothing
/// new and are left out.
/// </summary>
internal sealed class PublicSurface
{
    private const BindingFlags Declared = Public | NonPublic | Instance | Static | DeclaredOnly;

    private readonly StringBuilder _text = new();

    private PublicSurface()
    {
    }

    /// <summary>Types and members of <paramref name="assembly"/>, in ordinal order, one a line.</summary>
    public static string Of(Assembly assembly)
    {
        var surface = new PublicSurface();
        foreach (Type type in assembly.GetTypes().Where(IsVisible)
            .OrderBy(type => type.FullName, StringComparer.Ordinal))
            surface.Write(type);
        return surface._text.Length == 0 ? "no public type" : surface._text.ToString();
    }

    private static bool IsVisible(Type type) => type.IsNested
        ? IsVisible(type.DeclaringType!) && (type.IsNestedPublic
            || ((type.IsNestedFamily || type.IsNestedFamORAssem) && !type.DeclaringType!.IsSealed))
        : type.IsPublic;

    private static bool IsVisible(MethodBase? method) => method is { IsPublic: true }
        || (method is { IsFamily: true } or { IsFamilyOrAssembly: true } && !method.DeclaringType!.IsSealed);

    private void Write(Type type)
    {
        _text.Append(type.Namespace).Append('.').Append(Signatures.Declaration(type)).Append('\n');
        IEnumerable<string> members = type.IsEnum ? EnumMembers(type)
            : typeof(Delegate).IsAssignableFrom(type) ? [] : Members(type).Order(StringComparer.Ordinal);
        foreach (string line in members)
            _text.Append("    ").Append(line).Append('\n');
    }

    private static IEnumerable<string> EnumMembers(Type type) => type.GetFields(Public | Static)
        .Select(field => $"{field.Name} = {Convert.ToInt64(field.GetRawConstantValue(), null)}");

    private static IEnumerable<string> Members(Type type)
    {
        foreach (ConstructorInfo made in type.GetConstructors(Declared)
            .Where(made => !made.IsStatic && IsVisible(made)))
            yield return Signatures.Of(made);
        foreach (FieldInfo field in type.GetFields(Declared).Where(field => field.IsPublic
            || ((field.IsFamily || field.IsFamilyOrAssembly) && !type.IsSealed)))
            yield return Signatures.Of(field);
        foreach (PropertyInfo property in type.GetProperties(Declared).Where(property =>
            IsVisible(property.GetMethod) || IsVisible(property.SetMethod)))
            if (!IsOverride(property.GetMethod ?? property.SetMethod!))
                yield return Signatures.Of(property, IsVisible(property.GetMethod), IsVisible(property.SetMethod));
        foreach (EventInfo raised in type.GetEvents(Declared).Where(raised => IsVisible(raised.AddMethod)))
            yield return Signatures.Of(raised);
        foreach (MethodInfo method in type.GetMethods(Declared).Where(method => IsVisible(method)))
            if (!IsAccessor(method) && !IsOverride(method) && !method.IsDefined(typeof(CompilerGeneratedAttribute)))
                yield return Signatures.Of(method);
    }

    private static bool IsOverride(MethodInfo method) => method.GetBaseDefinition() != method;

    private static bool IsAccessor(MethodInfo method) => method.IsSpecialName
        && !method.Name.StartsWith("op_", StringComparison.Ordinal);
}
