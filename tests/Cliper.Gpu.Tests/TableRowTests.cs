using System.Reflection;
using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests;

/// <summary>
/// Host and kernels agree on the layout of tables: for each struct <c>...Row</c> that a view <c>...RowView</c> reads, a
/// second row is filled with a number of its own in each field, and each property of the view gives the number of the
/// field of its name.
/// </summary>
public sealed class TableRowTests
{
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

    // A unit holds 64 bits.
    private const int Unit = sizeof(long);

    private static IEnumerable<TestCaseData> Views => typeof(TensorTable).Assembly.GetTypes()
        .Where(type => type.Name.EndsWith("RowView", StringComparison.Ordinal) && HasRowConstructor(type))
        .Select(type => new TestCaseData(type).SetArgDisplayNames($"{type.DeclaringType!.Name}.{type.Name}"));

    [Test]
    public void Views_AreFound() => Assert.That(Views.Count(), Is.AtLeast(6));

    [TestCaseSource(nameof(Views))]
    public void View_ReadsTheFieldOfItsName(Type view)
    {
        Type row = RowOf(view);
        int units = (int)view.GetField("Units")!.GetRawConstantValue()!;
        object filled = Activator.CreateInstance(row)!;
        int next = 1;
        Fill(ref filled, ref next);

        Assert.That(Marshal.SizeOf(row), Is.EqualTo(Unit * units), "size of a row");
        nint memory = Marshal.AllocHGlobal(2 * Unit * units);
        try
        {
            Marshal.StructureToPtr(filled, memory + Unit * units, false);
            object read = Activator.CreateInstance(view, TensorTable.Row.At(new GlobalPtrInt32(memory), 1, units))!;
            Compare(read, filled, view.Name);
        }
        finally
        {
            Marshal.FreeHGlobal(memory);
        }
    }

    private static bool HasRowConstructor(Type view) => view.GetConstructor(Instance,
        [typeof(TensorTable.Row)]) is not null;

    private static Type RowOf(Type view) => view.DeclaringType!.GetNestedType(view.Name[..^"View".Length],
        BindingFlags.NonPublic)!;

    private static void Fill(ref object row, ref int next)
    {
        foreach (FieldInfo field in row.GetType().GetFields(Instance))
        {
            object value = field.FieldType.IsPrimitive ? Convert.ChangeType(next++, field.FieldType)
                : Activator.CreateInstance(field.FieldType)!;
            if (!field.FieldType.IsPrimitive)
                Fill(ref value, ref next);
            field.SetValue(row, value);
        }
    }

    private static void Compare(object view, object row, string name)
    {
        int compared = 0;
        foreach (FieldInfo field in row.GetType().GetFields(Instance))
        {
            // A kernel need not read every field: the first block is read by the table's search.
            if (view.GetType().GetProperty(field.Name, Instance)?.GetValue(view) is not { } read)
                continue;
            compared++;
            if (field.FieldType.IsPrimitive)
                Assert.That(Convert.ToDouble(read), Is.EqualTo(Convert.ToDouble(field.GetValue(row))),
                    $"{name}.{field.Name}");
            else
                Compare(read, field.GetValue(row)!, $"{name}.{field.Name}");
        }
        Assert.That(compared, Is.Positive, $"{name} has no property of a field's name");
    }
}
