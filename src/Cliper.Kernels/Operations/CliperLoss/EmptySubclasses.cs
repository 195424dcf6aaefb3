namespace Cliper.Kernels.Operations;

/// <summary>
/// The count of a subclass in CLIPER's modulating factor when it is nearest to no sample of its class in the batch.
/// </summary>
public enum EmptySubclasses
{
    /// <summary>-1/99, as in the authors' script; its softmax weight is then e^-99 of a part.</summary>
    MinusOneNinetyNinth,

    /// <summary>Left out of the sum and of the softmax: an interpretation. What equation 7 of the paper does with an
    /// empty subclass is not known to us.</summary>
    LeftOut,
}
