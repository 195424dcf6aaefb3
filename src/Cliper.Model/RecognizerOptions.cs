using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Faces;

namespace Cliper.Model;

/// <summary>Which faces of an image are answered.</summary>
public enum FaceSelection
{
    /// <summary>All that are found.</summary>
    All,

    /// <summary>The largest one.</summary>
    Largest,

    /// <summary>No face is looked for: each image is a face already.</summary>
    None,
}

/// <summary>How an <see cref="ExpressionRecognizer"/> looks, and where it computes.</summary>
public sealed record RecognizerOptions
{
    /// <summary>
    /// Which faces are answered; null for all, and of a model of face crops or whole images for
    /// <see cref="FaceSelection.None"/>.
    /// </summary>
    public FaceSelection? Faces { get; init; }

    /// <summary>
    /// Finds the faces, called on several threads at once; null for the network that comes with the package. It stays
    /// the caller's.
    /// </summary>
    public IFaceDetector? FaceDetector { get; init; }

    /// <summary>Boxes of faces by the images' names, in place of a detector's; null for none.</summary>
    public FaceTable? FaceTable { get; init; }

    /// <summary>The box of the face in every image, in pixels, in place of a detector's; null for none.</summary>
    public PixelBox? FaceBox { get; init; }

    /// <summary>
    /// Where the model computes, and in which precision: the caller's own device, such as one of
    /// <see cref="Kernels.GpuDevices.OpenCuda"/>; null for the one that <see cref="DeviceName"/> names.
    /// </summary>
    public Device? Device { get; init; }

    /// <summary>
    /// Without a <see cref="Device"/>, the name of the one to open: "cpu" (as null), "cuda", "cuda:N" for GPU N, or
    /// "auto" for the first GPU where one works, else the processor.
    /// </summary>
    public string? DeviceName { get; init; }

    /// <summary>
    /// Without a <see cref="Device"/>, the precision: on the processor fp32, or bf16 where it has AVX512_BF16; on a GPU
    /// fp16 or bf16. Null for fp32 on the processor and fp16 on a GPU. Where the system refuses executable memory,
    /// which bf16 needs on the processor, it is fp32.
    /// </summary>
    public ElementType? Precision { get; init; }

    /// <summary>Threads that an operation uses on the processor, without a <see cref="Device"/>; 0 is one a
    /// core.</summary>
    public int Threads { get; init; }

    /// <summary>Whether each face and its mirror image are answered together: a little better, and twice the
    /// work.</summary>
    public bool Flip { get; init; }

    /// <summary>The probability, from 0 to 1, below which an answer is <see cref="Recognition.Uncertain"/>.</summary>
    public float MinProbability { get; init; }
}
