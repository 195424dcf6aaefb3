namespace Cliper.Model;

/// <summary>
/// The way out of an error, for errors whose way out has another name in every front end. The message of the error
/// states the fact alone; a program adds the remedy in the names of its own options.
/// </summary>
public enum Remedy
{
    /// <summary>The message says all.</summary>
    None,

    /// <summary>Give a run's checkpoint; CLIP weights are given elsewhere.</summary>
    GiveCheckpoint,

    /// <summary>Write the CLIP that is meant to a file of its own.</summary>
    ExtractOneClip,

    /// <summary>Choose another prefix of tensor names.</summary>
    ChooseOtherPrefix,

    /// <summary>Give CLIP weights, or a recipe that pre-trains.</summary>
    GiveWeights,

    /// <summary>Start from the CLIP of the checkpoint, without its descriptors.</summary>
    TakeClipOfCheckpoint,

    /// <summary>Begin a run that starts from this one's model.</summary>
    BeginFromModel,

    /// <summary>Leave the setting as it was, or begin a new run.</summary>
    KeepSetting,

    /// <summary>Leave the settings as they were, or begin a new run that starts from this one's model.</summary>
    KeepSettingsOrBeginFromModel,

    /// <summary>Give the folder of a run.</summary>
    GiveRunFolder,

    /// <summary>Start the run again from its beginning.</summary>
    RestartRun,

    /// <summary>Give the run that the message names to start from.</summary>
    StartFromRun,

    /// <summary>Give the data's folder or file.</summary>
    GiveData,

    /// <summary>Give the number of one fold.</summary>
    GiveOneFold,

    /// <summary>Give fold 1, the only one.</summary>
    GiveFirstFold,

    /// <summary>State the facts on the weights that the file does not.</summary>
    StateFacts,

    /// <summary>Give folders of frames in place of videos.</summary>
    GiveFrames,

    /// <summary>Resume the run.</summary>
    ResumeRun,

    /// <summary>Resume the run as the pre-training that it is.</summary>
    ResumeAsPretraining,

    /// <summary>Resume the run as the training that it is.</summary>
    ResumeAsTraining,

    /// <summary>Resume the run, or ask for an answer of what it has learned so far.</summary>
    ResumeOrAllowUnfinished,

    /// <summary>Allow pictures more memory.</summary>
    AllowMemory,
}
