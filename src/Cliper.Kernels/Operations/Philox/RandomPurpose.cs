namespace Cliper.Kernels.Operations;

/// <summary>
/// Purpose of random numbers. It is part of the generator's counter, so that two uses never share numbers, and adding
/// a draw to one changes nothing in another. The values are kept in checkpoints' meaning: never renumber.
/// </summary>
public enum RandomPurpose : uint
{
    /// <summary>First values of weights and descriptors.</summary>
    Initialization = 0,

    /// <summary>Order of the samples of an epoch.</summary>
    Shuffle = 1,

    /// <summary>Crops, flips, jitter and erasing of a sample.</summary>
    Augmentation = 2,

    /// <summary>Which frames of a clip are taken.</summary>
    FrameSampling = 3,

    /// <summary>Which samples are held out.</summary>
    Split = 4,

    /// <summary>Faces that the program draws.</summary>
    Drawing = 5,

    /// <summary>Choice of captions.</summary>
    Captions = 6,

    /// <summary>Labels of pictures that people labeled differently.</summary>
    Labels = 7,
}
