using System.Numerics.Tensors;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>Result of reading a whole file of weights.</summary>
/// <param name="Path">The file.</param>
/// <param name="Format">Kind of the file.</param>
/// <param name="Architecture">The CLIP in it; null if it is none, which is a fault.</param>
/// <param name="Tensors">Tensors that were read.</param>
/// <param name="Parameters">Floating-point numbers that were read.</param>
/// <param name="Faults">Faults, a sentence each; none if the file is sound.</param>
public sealed record WeightsVerification(string Path, string Format, string? Architecture, int Tensors, long Parameters,
    IReadOnlyList<string> Faults)
{
    private const int MostFaults = 100;

    /// <summary>
    /// Reads every byte of a file in any form that <see cref="TensorSource.Open"/> knows: checksums where the form has
    /// them, every number finite, and names and shapes those of a CLIP.
    /// </summary>
    /// <param name="path">The file or folder, or a name in the local cache.</param>
    /// <param name="cancellation">Stops between tensors.</param>
    /// <exception cref="InputException">It cannot be read at all.</exception>
    public static WeightsVerification Of(string path, CancellationToken cancellation = default)
    {
        using TensorSource source = TensorSource.Open(path);
        var faults = new List<string>();
        string? architecture = null;
        foreach (string damage in source.DamagedRecords())
        {
            faults.Add(damage);
            cancellation.ThrowIfCancellationRequested();
        }
        long parameters = 0;
        var buffer = Array.Empty<float>();
        foreach (TensorEntry entry in source.Tensors.Values.Where(entry => TensorSource.IsFloating(entry.Type)))
        {
            cancellation.ThrowIfCancellationRequested();
            if (entry.Bytes > Array.MaxLength)
            {
                faults.Add($"tensor {ForeignText.Quote(entry.Name)} has more than 2 GiB");
                continue;
            }
            if (buffer.Length < entry.Count)
                buffer = new float[entry.Count];
            Span<float> values = buffer.AsSpan(0, (int)entry.Count);
            source.ReadFloats(entry.Name, values);
            parameters += values.Length;
            int finite = TensorPrimitives.IsFiniteAll<float>(values) ? values.Length : CountFinite(values);
            if (finite < values.Length)
                faults.Add($"tensor {ForeignText.Quote(entry.Name)}: {values.Length - finite} of {values.Length} "
                    + "numbers are not finite");
        }
        int count = source.Tensors.Count;
        try
        {
            using ClipWeights weights = ClipWeightsLoader.Load(source);
            architecture = WeightsInspection.NameOf(weights.Config);
        }
        catch (InputException reason)
        {
            faults.Add(reason.Message);
        }
        if (faults.Count > MostFaults)
            faults = [.. faults.Take(MostFaults), $"and {faults.Count - MostFaults} more"];
        return new WeightsVerification(source.Path, source.Format, architecture, count, parameters, faults);
    }

    private static int CountFinite(ReadOnlySpan<float> values)
    {
        int finite = 0;
        foreach (float value in values)
            finite += float.IsFinite(value) ? 1 : 0;
        return finite;
    }
}
