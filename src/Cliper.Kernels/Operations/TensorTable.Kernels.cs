using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

internal static partial class TensorTable
{
    /// <summary>A row of a table as a kernel reads it, in units of 64 bits, each by 32-bit loads.</summary>
    [DeviceCode]
    public readonly struct Row
    {
        private readonly GlobalPtrInt32 _table;
        private readonly int _at;

        private Row(GlobalPtrInt32 table, int at) => (_table, _at) = (table, at);

        /// <summary>
        /// The row of this block's tensor, where unit 0 of a row is the tensor's first block: the last row whose first
        /// block is not beyond this one. Empty tensors have no block and are never found.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Row Find(GlobalPtrInt32 table, int tensors, int units)
        {
            int low = 0, high = tensors;
            while (high - low > 1)
            {
                int middle = (low + high) >> 1;
                if (table.Load(middle * (2 * units)) <= Grid.IdxX)
                    low = middle;
                else
                    high = middle;
            }
            return new Row(table, low * (2 * units));
        }

        /// <summary>A row by its index.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Row At(GlobalPtrInt32 table, int index, int units) => new(table, index * (2 * units));

        /// <summary>Index of this block among the blocks of its tensor.</summary>
        public int Block => Grid.IdxX - _table.Load(_at);

        /// <summary>A whole unit.</summary>
        public long Long(int unit) => (uint)_table.Load(_at + 2 * unit) | (long)_table.Load(_at + 2 * unit + 1) << 32;

        /// <summary>The lower half of a unit, which is the value of a long that fits into an int.</summary>
        public int Int(int unit) => _table.Load(_at + 2 * unit);

        /// <summary>A unit that is an fp64 number.</summary>
        public double Double(int unit) => Ptx.AsDouble(Long(unit));

        /// <summary>The first of two fp32 numbers in a unit.</summary>
        public float Low(int unit) => Interop.IntAsFloat((uint)_table.Load(_at + 2 * unit));

        /// <summary>The second of two fp32 numbers in a unit.</summary>
        public float High(int unit) => Interop.IntAsFloat((uint)_table.Load(_at + 2 * unit + 1));
    }
}
