using Cliper.Kernels.Operations;

namespace Cliper.Model.SyntheticFaces;

/// <summary>Age groups.</summary>
internal enum FaceAge
{
    /// <summary>Large eyes, round face, small chin.</summary>
    Child,

    /// <summary>A grown-up.</summary>
    Young,

    /// <summary>Wrinkles, gray or white hair.</summary>
    Old,
}

/// <summary>How a face is built and dressed.</summary>
internal enum FaceBuild
{
    /// <summary>A girl or a woman.</summary>
    Female,

    /// <summary>A boy or a man.</summary>
    Male,
}

/// <summary>Skin, from pale to dark.</summary>
internal enum SkinTone
{
    /// <summary>Very light.</summary>
    Pale,

    /// <summary>Light.</summary>
    Light,

    /// <summary>Between light and brown.</summary>
    Tan,

    /// <summary>Brown.</summary>
    Brown,

    /// <summary>Dark.</summary>
    Dark,
}

/// <summary>Hair colors.</summary>
internal enum HairColor
{
    /// <summary>Black.</summary>
    Black,

    /// <summary>Brown.</summary>
    Brown,

    /// <summary>Blond.</summary>
    Blond,

    /// <summary>Red.</summary>
    Red,

    /// <summary>Gray.</summary>
    Gray,

    /// <summary>White.</summary>
    White,
}

/// <summary>Hair styles.</summary>
internal enum HairStyle
{
    /// <summary>None; the old keep some at the sides.</summary>
    Bald,

    /// <summary>Short.</summary>
    Short,

    /// <summary>Short and in spikes.</summary>
    Spiky,

    /// <summary>Curls around the head.</summary>
    Curly,

    /// <summary>To the chin, with a fringe.</summary>
    Bob,

    /// <summary>Over the shoulders.</summary>
    Long,

    /// <summary>Tied to a knot on top.</summary>
    Bun,
}

/// <summary>Beards.</summary>
internal enum Beard
{
    /// <summary>None.</summary>
    None,

    /// <summary>Over the lip only.</summary>
    Moustache,

    /// <summary>Around mouth and jaw.</summary>
    Full,
}

/// <summary>Lighting of a synthetic face.</summary>
internal enum FaceLight
{
    /// <summary>Even light.</summary>
    Even,

    /// <summary>From the left of the image.</summary>
    Left,

    /// <summary>From the right of the image.</summary>
    Right,

    /// <summary>Little light.</summary>
    Dark,

    /// <summary>Reddish.</summary>
    Warm,

    /// <summary>Bluish.</summary>
    Cold,
}

/// <summary>Everything that determines a synthetic face. Equal parameters give equal images.</summary>
internal sealed record FaceParameters
{
    /// <summary>The weakest expression; neutral faces have intensity 0.</summary>
    public const float WeakestIntensity = 0.4f;

    /// <summary>The label.</summary>
    public required FaceExpression Expression { get; init; }

    /// <summary>How strong it is: from <see cref="WeakestIntensity"/> to 1; 0 for neutral.</summary>
    public required float Intensity { get; init; }

    /// <summary>Movements of the face.</summary>
    public required ActionUnits Units { get; init; }

    /// <summary>Age group.</summary>
    public FaceAge Age { get; init; } = FaceAge.Young;

    /// <summary>Build.</summary>
    public FaceBuild Build { get; init; }

    /// <summary>Skin.</summary>
    public SkinTone Skin { get; init; } = SkinTone.Light;

    /// <summary>Hair color, also of brows and beard.</summary>
    public HairColor Hair { get; init; } = HairColor.Brown;

    /// <summary>Hair style.</summary>
    public HairStyle Style { get; init; } = HairStyle.Short;

    /// <summary>Beard.</summary>
    public Beard Beard { get; init; }

    /// <summary>Whether the face wears glasses.</summary>
    public bool Glasses { get; init; }

    /// <summary>Turned to the right of the image, radians.</summary>
    public float Yaw { get; init; }

    /// <summary>Turned down, radians.</summary>
    public float Pitch { get; init; }

    /// <summary>Tilted clockwise, radians.</summary>
    public float Roll { get; init; }

    /// <summary>Half the face's size as a share of half the image's.</summary>
    public float Scale { get; init; } = 0.86f;

    /// <summary>Shift to the right, in halves of the image.</summary>
    public float ShiftX { get; init; }

    /// <summary>Shift down, in halves of the image.</summary>
    public float ShiftY { get; init; }

    /// <summary>Width of the head, about 1.</summary>
    public float HeadWidth { get; init; } = 1;

    /// <summary>Size of the eyes, about 1.</summary>
    public float EyeSize { get; init; } = 1;

    /// <summary>Size of the nose, about 1.</summary>
    public float NoseSize { get; init; } = 1;

    /// <summary>Width of the mouth, about 1.</summary>
    public float MouthWidth { get; init; } = 1;

    /// <summary>Thickness of the brows, about 1.</summary>
    public float BrowSize { get; init; } = 1;

    /// <summary>Lighting.</summary>
    public FaceLight Light { get; init; }

    /// <summary>How strong the lighting's effect is, 0 to 1.</summary>
    public float LightStrength { get; init; }

    /// <summary>How blurred, 0 to 1.</summary>
    public float Blur { get; init; }

    /// <summary>Std of the pixel noise, gray levels of 255.</summary>
    public float Noise { get; init; }

    /// <summary>Chooses what has no name: shades, background, clothes, the noise itself.</summary>
    public ulong Details { get; init; }

    /// <summary>A face drawn from the distribution of all faces.</summary>
    /// <param name="seed">Names the set of faces.</param>
    /// <param name="index">Names the face in the set.</param>
    /// <param name="expression">The label; null to draw it too.</param>
    public static FaceParameters Random(ulong seed, int index, FaceExpression? expression = null)
    {
        var random = new FaceRandom(seed, RandomPurpose.Drawing, 0, (uint)index);
        var drawn = (FaceExpression)random.Below(FaceExpressions.Count);
        FaceExpression label = expression ?? drawn;
        float strength = random.Uniform(WeakestIntensity, 1);
        float intensity = label == FaceExpression.Neutral ? 0 : strength;
        ActionUnits units = ActionUnits.Of(label, intensity, ref random);

        FaceAge age = random.Pick<FaceAge>([FaceAge.Child, FaceAge.Young, FaceAge.Young, FaceAge.Old]);
        FaceBuild build = random.Chance(0.5f) ? FaceBuild.Female : FaceBuild.Male;
        SkinTone skin = random.Pick(Enum.GetValues<SkinTone>());
        FaceLight light = random.Chance(0.35f) ? FaceLight.Even : random.Pick(Enum.GetValues<FaceLight>());
        return new FaceParameters
        {
            Expression = label,
            Intensity = intensity,
            Units = units,
            Age = age,
            Build = build,
            Skin = skin,
            Hair = RandomHair(age, skin, ref random),
            Style = RandomStyle(age, build, ref random),
            Beard = RandomBeard(age, build, ref random),
            Glasses = random.Chance(age == FaceAge.Old ? 0.35f : 0.14f),
            Yaw = 0.17f * random.Normal(),
            Pitch = 0.1f * random.Normal(),
            Roll = 0.09f * random.Normal(),
            Scale = random.Uniform(0.9f, 1.08f),
            ShiftX = 0.05f * random.Normal(),
            ShiftY = 0.04f * random.Normal(),
            HeadWidth = 1 + (0.06f * random.Normal()),
            EyeSize = 1 + (0.1f * random.Normal()),
            NoseSize = 1 + (0.15f * random.Normal()),
            MouthWidth = 1 + (0.1f * random.Normal()),
            BrowSize = 1 + (0.2f * random.Normal()),
            Light = light,
            LightStrength = light == FaceLight.Even ? 0 : random.Uniform(0.4f, 1),
            Blur = random.Chance(0.3f) ? random.Uniform() : 0,
            Noise = random.Uniform(0, 7),
            Details = ((ulong)random.Word() << 32) | random.Word(),
        };
    }

    private static HairColor RandomHair(FaceAge age, SkinTone skin, ref FaceRandom random)
    {
        if (age == FaceAge.Old)
            return random.Pick<HairColor>([HairColor.Gray, HairColor.Gray, HairColor.White, HairColor.Brown]);
        if (skin >= SkinTone.Brown)
            return random.Pick<HairColor>([HairColor.Black, HairColor.Black, HairColor.Brown, HairColor.Red]);
        return random.Pick<HairColor>(
            [HairColor.Black, HairColor.Brown, HairColor.Brown, HairColor.Blond, HairColor.Blond, HairColor.Red]);
    }

    private static HairStyle RandomStyle(FaceAge age, FaceBuild build, ref FaceRandom random)
    {
        if (build == FaceBuild.Female)
            return random.Pick<HairStyle>(
                [HairStyle.Long, HairStyle.Long, HairStyle.Bob, HairStyle.Bun, HairStyle.Curly, HairStyle.Short]);
        return age == FaceAge.Child
            ? random.Pick<HairStyle>([HairStyle.Short, HairStyle.Spiky, HairStyle.Curly])
            : random.Pick<HairStyle>(
                [HairStyle.Short, HairStyle.Short, HairStyle.Spiky, HairStyle.Curly, HairStyle.Bald]);
    }

    private static Beard RandomBeard(FaceAge age, FaceBuild build, ref FaceRandom random)
    {
        bool can = build == FaceBuild.Male && age != FaceAge.Child;
        return random.Chance(0.3f) && can ? random.Pick<Beard>([Beard.Moustache, Beard.Full]) : Beard.None;
    }
}
