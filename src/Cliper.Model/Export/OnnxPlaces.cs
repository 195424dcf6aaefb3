namespace Cliper.Model.Export;

/// <summary>The operators that move elements and compute nothing, for <see cref="OnnxEvaluator"/>.</summary>
internal static class OnnxPlaces
{
    /// <summary>The results of a node.</summary>
    /// <exception cref="InvalidDataException">The operator is not known here.</exception>
    public static OnnxTensor[] Evaluate(OnnxNode node, OnnxTensor[] inputs)
    {
        OnnxTensor x = inputs[0];
        switch (node.Operation)
        {
            case "Reshape":
                return [x.Reshaped(Sizes(x, inputs[1].Integers))];
            case "Transpose":
                return [Transposed(x, OnnxEvaluator.Attribute<int[]>(node, "perm"))];
            case "Shape":
                return [OnnxTensor.Of([.. x.Shape.Select(size => (long)size)], x.Rank)];
            case "Expand":
                int[] shape = Broadcast(x.Shape, [.. inputs[1].Integers.Select(size => (int)size)]);
                return [x.Taken(shape, Source(x.Shape, shape))];
            case "Concat":
                return [Joined(inputs, x.Axis(OnnxEvaluator.Attribute<int>(node, "axis")))];
            case "Split":
                return Parts(x, x.Axis(OnnxEvaluator.Attribute<int>(node, "axis")), inputs[1].Integers);
            case "Slice":
                // An input without the axes means the first ones.
                int axis = inputs.Length > 3 ? x.Axis(inputs[3].Integers.Single()) : 0;
                return [Part(x, axis, (int)inputs[1].Integers.Single(),
                    (int)(inputs[2].Integers.Single() - inputs[1].Integers.Single()))];
            case "Gather":
                int along = x.Axis(OnnxEvaluator.Attribute<int>(node, "axis"));
                OnnxTensor part = Part(x, along, (int)inputs[1].Integers.Single(), 1);
                return [part.Reshaped([.. x.Shape[..along], .. x.Shape[(along + 1)..]])];
            case "GatherElements":
                return [Chosen(x, inputs[1], OnnxEvaluator.Attribute<int>(node, "axis"))];
            case "Pad":
                return [Padded(x, inputs[1].Integers)];
            default:
                throw new InvalidDataException("the operator is not one of those that are written here");
        }
    }

    /// <summary>The common shape of two values; sizes of 1 are repeated.</summary>
    public static int[] Broadcast(int[] a, int[] b)
    {
        int rank = Math.Max(a.Length, b.Length);
        return [.. Enumerable.Range(0, rank).Select(axis =>
        {
            int left = At(a, axis - rank + a.Length), right = At(b, axis - rank + b.Length);
            return left == right || right == 1 ? left : left == 1 ? right
                : throw new InvalidDataException($"[{string.Join(", ", a)}] and [{string.Join(", ", b)}] do not fit");
        })];

        static int At(int[] shape, int axis) => axis < 0 ? 1 : shape[axis];
    }

    /// <summary>Gives the index of a value's element by that of a shape that it is repeated to.</summary>
    public static Func<int, int> Source(int[] from, int[] to)
    {
        if (from.SequenceEqual(to))
            return index => index;
        int count = OnnxTensor.CountOf(from);
        if (count == 1)
            return _ => 0;
        // Where only leading axes are repeated, the elements come again in their order.
        if (to.AsSpan(to.Length - from.Length).SequenceEqual(from))
            return index => index % count;
        int[] target = OnnxTensor.Strides(to), own = OnnxTensor.Strides(from);
        int skipped = to.Length - from.Length;
        return index =>
        {
            int source = 0;
            for (int axis = 0; axis < from.Length; axis++)
                if (from[axis] > 1)
                    source += index / target[axis + skipped] % to[axis + skipped] * own[axis];
            return source;
        };
    }

    /// <summary>Sizes of a reshape: 0 keeps an axis, -1 is what remains.</summary>
    private static int[] Sizes(OnnxTensor x, long[] asked)
    {
        int[] sizes = [.. asked.Select((size, axis) => size == 0 ? x.Shape[axis] : (int)size)];
        int open = Array.IndexOf(sizes, -1);
        if (open >= 0)
            sizes[open] = x.Count / OnnxTensor.CountOf(sizes.Where(size => size != -1));
        return sizes;
    }

    private static OnnxTensor Transposed(OnnxTensor x, int[] order)
    {
        int[] shape = [.. order.Select(axis => x.Shape[axis])], target = OnnxTensor.Strides(shape),
            strides = OnnxTensor.Strides(x.Shape);
        int[] own = [.. order.Select(axis => strides[axis])];
        return x.Taken(shape, index =>
        {
            int source = 0;
            for (int axis = 0; axis < own.Length; axis++)
            {
                source += index / target[axis] * own[axis];
                index %= target[axis];
            }
            return source;
        });
    }

    private static OnnxTensor Joined(OnnxTensor[] parts, int axis)
    {
        OnnxTensor first = parts[0];
        int[] shape = [.. first.Shape];
        shape[axis] = parts.Sum(part => part.Shape[axis]);
        int outer = OnnxTensor.CountOf(shape[..axis]);
        if (first.IsInteger)
            return OnnxTensor.Of([.. parts.SelectMany(part => part.Integers)], shape);
        var values = new List<float>(OnnxTensor.CountOf(shape));
        for (int i = 0; i < outer; i++)
            foreach (OnnxTensor part in parts)
            {
                int each = part.Count / outer;
                values.AddRange(part.Floats.AsSpan(i * each, each));
            }
        return OnnxTensor.Of([.. values], shape);
    }

    private static OnnxTensor[] Parts(OnnxTensor x, int axis, long[] sizes)
    {
        int start = 0;
        var parts = new OnnxTensor[sizes.Length];
        for (int i = 0; i < parts.Length; start += (int)sizes[i++])
            parts[i] = Part(x, axis, start, (int)sizes[i]);
        return parts;
    }

    private static OnnxTensor Part(OnnxTensor x, int axis, int start, int size)
    {
        int[] shape = [.. x.Shape];
        shape[axis] = size;
        int inner = OnnxTensor.CountOf(x.Shape[(axis + 1)..]), all = x.Shape[axis];
        return x.Taken(shape, index => (index / (inner * size) * all + start) * inner + index % (inner * size));
    }

    /// <summary>The elements that an index names in each row of a matrix.</summary>
    private static OnnxTensor Chosen(OnnxTensor x, OnnxTensor indices, int axis) =>
        axis == 1 && x.Rank == 2 && indices.Rank == 2
            ? x.Taken(indices.Shape, index => index / indices.Width * x.Width + (int)indices.Integers[index])
            : throw new InvalidDataException("expected elements of a matrix's rows");

    private static OnnxTensor Padded(OnnxTensor x, long[] pads)
    {
        int[] shape = [.. x.Shape.Select((size, axis) => (int)(pads[axis] + size + pads[axis + x.Rank]))],
            strides = OnnxTensor.Strides(x.Shape), target = OnnxTensor.Strides(shape);
        var y = new float[OnnxTensor.CountOf(shape)];
        for (int index = 0; index < x.Count; index++)
        {
            int to = 0;
            for (int axis = 0; axis < x.Rank; axis++)
                to += (index / strides[axis] % x.Shape[axis] + (int)pads[axis]) * target[axis];
            y[to] = x.Floats[index];
        }
        return OnnxTensor.Of(y, shape);
    }
}
