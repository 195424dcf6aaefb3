namespace Cliper.Model.SyntheticFaces;

/// <summary>How faces are drawn. The faces themselves are the same.</summary>
public enum FaceStyle
{
    /// <summary>Painted in colors, in a light.</summary>
    Paint,

    /// <summary>Sketched with a pencil on paper.</summary>
    Pencil,
}
