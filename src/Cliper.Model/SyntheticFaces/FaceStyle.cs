namespace Cliper.Model.SyntheticFaces;

/// <summary>Style of a face's image. The faces themselves are the same.</summary>
public enum FaceStyle
{
    /// <summary>Colors and light.</summary>
    Paint,

    /// <summary>Pencil strokes on paper.</summary>
    Pencil,
}
