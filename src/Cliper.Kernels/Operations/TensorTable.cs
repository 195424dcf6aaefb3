using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Many tensors or pictures in one launch: a table on the device with a row of 64-bit fields each. On the host it is the table's making,
/// in a kernel <see cref="Row"/> finds the block's own: by the first field, which is a tensor's first block, or by its number.
/// </summary>
internal static class TensorTable
{
    /// <summary>Two fp32 numbers as one field.</summary>
    public static long Pair(float low, float high) =>
        BitConverter.SingleToUInt32Bits(low) | (long)BitConverter.SingleToUInt32Bits(high) << 32;

    /// <summary>A tensor's row, as a kernel reads it.</summary>
    public readonly struct Row
    {
        private readonly GlobalPtrInt32 _table;
        private readonly int _at;

        private Row(GlobalPtrInt32 table, int at) => (_table, _at) = (table, at);

        /// <summary>
        /// The row of this block's tensor: the last one whose first block is not beyond it; empty tensors have none.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Row Find(GlobalPtrInt32 table, int tensors, int fields)
        {
            int low = 0, high = tensors;
            while (high - low > 1)
            {
                int middle = (low + high) >> 1;
                if (table.Load(middle * (2 * fields)) <= Grid.IdxX)
                    low = middle;
                else
                    high = middle;
            }
            return new Row(table, low * (2 * fields));
        }

        /// <summary>A row by its number.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Row At(GlobalPtrInt32 table, int index, int fields) => new(table, index * (2 * fields));

        /// <summary>Of the tensor's blocks this one, from 0.</summary>
        public int Block => Grid.IdxX - _table.Load(_at);

        /// <summary>A whole field.</summary>
        public long Long(int field) => (uint)_table.Load(_at + 2 * field) | (long)_table.Load(_at + 2 * field + 1) << 32;

        /// <summary>A field that is an integer of 32 bits.</summary>
        public int Int(int field) => _table.Load(_at + 2 * field);

        /// <summary>A field that is an fp64 number.</summary>
        public double Double(int field) => Ptx.AsDouble(Long(field));

        /// <summary>The lower number of a field that is a pair.</summary>
        public float Low(int field) => Interop.IntAsFloat((uint)_table.Load(_at + 2 * field));

        /// <summary>The upper number of a field that is a pair.</summary>
        public float High(int field) => Interop.IntAsFloat((uint)_table.Load(_at + 2 * field + 1));
    }
}
