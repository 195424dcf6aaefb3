namespace Cliper.Model.Settings;

/// <summary>One line about each of the <see cref="Recipes"/>.</summary>
public static class RecipeSummaries
{
    private static readonly Dictionary<string, string> ByName = new()
    {
        ["rafdb"] = "RAF-DB, protocol script (the authors' program) or paper (its text)",
        ["affectnet7"] = "AffectNet without contempt, rare classes drawn as often as others",
        ["affectnet8"] = "AffectNet with contempt, rare classes drawn as often as others",
        ["dfew"] = "DFEW, clips of 16 frames, the five published folds",
        ["ferv39k"] = "FERV39k, clips of 16 frames; protocol ial leaves shorter ones out",
        ["afew"] = "AFEW, clips of 16 frames, from a model of DFEW",
        ["fer2013"] = "FER2013 from nothing: a small vision transformer, about an hour on two cores",
        ["photographs"] = "FER2013 from nothing: the ResNet of the model that ships, two hours on two cores",
        ["ckplus"] = "CK+ as clips of three frames, from nothing, folds by subject",
        ["demo-clip"] = "the CLIP of drawn faces that the demo begins with",
        ["demo"] = "what the demo trains: CLIPER on drawn sketches, about a minute",
    };

    /// <summary>The line about a recipe.</summary>
    /// <param name="recipe">One of <see cref="Recipes.Names"/>.</param>
    public static string Of(string recipe) => ByName[recipe];
}
