using System.Text.Json.Serialization;

namespace Cliper.Model.Samples;

/// <summary>How the images of a data set show their faces.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FaceAlignment>))]
public enum FaceAlignment
{
    /// <summary>The data set does not say.</summary>
    Unknown,

    /// <summary>Images are cropped to the face, upright or as they were.</summary>
    Cropped,

    /// <summary>Images are cropped to the face and rotated by landmarks, which puts the eyes at fixed places.</summary>
    Aligned,

    /// <summary>Images and frames are not cropped. Checkpoints store the name given here.</summary>
    [JsonStringEnumMemberName("WholePicture")]
    WholeImage,
}
