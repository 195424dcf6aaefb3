namespace Cliper.Model.SyntheticFaces;

/// <summary>
/// Movements of the muscles of a face, after Ekman and Friesen's facial action units: 0 at rest, 1 at full strength; a
/// little beyond either end is possible.
/// </summary>
public readonly record struct ActionUnits
{
    private const int Length = 14;
    private const float BlendProbability = 0.2f;
    private const float BlendLimit = 0.4f;
    private const float OmitProbability = 0.1f;

    /// <summary>AU1: inner ends of the brows up.</summary>
    public float InnerBrowRaise { get; init; }

    /// <summary>AU2: outer ends of the brows up.</summary>
    public float OuterBrowRaise { get; init; }

    /// <summary>AU4: brows down and together.</summary>
    public float BrowLower { get; init; }

    /// <summary>AU5: upper lids up, eyes wide; below 0 they droop.</summary>
    public float LidRaise { get; init; }

    /// <summary>AU6: cheeks up, which narrows the eyes from below.</summary>
    public float CheekRaise { get; init; }

    /// <summary>AU7: lids tense.</summary>
    public float LidTighten { get; init; }

    /// <summary>AU9: nose wrinkled.</summary>
    public float NoseWrinkle { get; init; }

    /// <summary>AU10: upper lip up.</summary>
    public float UpperLipRaise { get; init; }

    /// <summary>AU12: corners of the mouth up.</summary>
    public float CornerUp { get; init; }

    /// <summary>AU15: corners of the mouth down.</summary>
    public float CornerDown { get; init; }

    /// <summary>AU17: chin boss up, which pushes the lower lip out.</summary>
    public float ChinRaise { get; init; }

    /// <summary>AU20: lips stretched sideways.</summary>
    public float LipStretch { get; init; }

    /// <summary>AU24: lips pressed together.</summary>
    public float LipPress { get; init; }

    /// <summary>AU25 to 27: lips apart and jaw dropped.</summary>
    public float MouthOpen { get; init; }

    /// <summary>
    /// Draws the action units of an expression: its typical pattern, weakened by the intensity, with units left out and
    /// perturbed as in people, sometimes with a trace of another expression, on top of the face's own unrest. Weak fear
    /// is close to weak surprise and weak disgust to weak anger, so nobody tells them all apart.
    /// </summary>
    internal static ActionUnits Of(FaceExpression expression, float intensity, ref FaceRandom random)
    {
        ActionUnits units = Perturb(Pattern(expression, ref random), intensity, ref random);
        if (random.Chance(BlendProbability))
        {
            var other = (FaceExpression)random.Below(FaceExpressions.Count);
            units = units.Combine(Pattern(other, ref random), random.Uniform(0.1f, BlendLimit));
        }
        return units.Jitter(ref random);
    }

    private static ActionUnits Pattern(FaceExpression expression, ref FaceRandom random) => expression switch
    {
        FaceExpression.Surprise => new()
        {
            InnerBrowRaise = 0.9f,
            OuterBrowRaise = 0.9f,
            LidRaise = 0.75f,
            MouthOpen = random.Uniform(0.45f, 1f),
        },
        FaceExpression.Fear => new()
        {
            InnerBrowRaise = 0.95f,
            OuterBrowRaise = 0.35f,
            BrowLower = 0.5f,
            LidRaise = 0.8f,
            LipStretch = 0.9f,
            MouthOpen = random.Uniform(0.1f, 0.6f),
            CornerDown = 0.25f,
        },
        FaceExpression.Disgust => new()
        {
            NoseWrinkle = 1,
            UpperLipRaise = 0.9f,
            BrowLower = 0.55f,
            LidTighten = 0.6f,
            CornerDown = 0.4f,
            CheekRaise = 0.3f,
            ChinRaise = 0.3f,
            MouthOpen = random.Chance(0.4f) ? 0.3f : 0,
        },
        FaceExpression.Happiness => new()
        {
            CornerUp = 1,
            CheekRaise = 0.8f,
            MouthOpen = random.Chance(0.6f) ? random.Uniform(0.2f, 0.7f) : 0,
        },
        FaceExpression.Sadness => new()
        {
            InnerBrowRaise = 0.85f,
            BrowLower = 0.25f,
            LidRaise = -0.55f,
            CornerDown = 0.95f,
            ChinRaise = 0.5f,
        },
        FaceExpression.Anger => random.Chance(0.6f)
            ? new()
            {
                BrowLower = 1,
                LidRaise = 0.2f,
                LidTighten = 0.6f,
                LipPress = 0.9f,
                CornerDown = 0.3f,
            }
            : new()
            {
                BrowLower = 1,
                LidRaise = 0.4f,
                LidTighten = 0.5f,
                MouthOpen = random.Uniform(0.3f, 0.7f),
                UpperLipRaise = 0.4f,
                LipStretch = 0.3f,
                NoseWrinkle = 0.25f,
            },
        _ => default,
    };

    /// <summary>Weakens each unit, perturbs its strength, and nearly leaves some out.</summary>
    private static ActionUnits Perturb(ActionUnits pattern, float intensity, ref FaceRandom random)
    {
        Span<float> units = stackalloc float[Length];
        pattern.CopyTo(units);
        foreach (ref float unit in units)
            unit *= intensity * (1 + (0.2f * random.Normal())) * (random.Chance(OmitProbability) ? 0.25f : 1);
        return From(units);
    }

    private ActionUnits Combine(ActionUnits other, float weight)
    {
        Span<float> sum = stackalloc float[Length];
        Span<float> added = stackalloc float[Length];
        CopyTo(sum);
        other.CopyTo(added);
        for (int index = 0; index < Length; index++)
            sum[index] = (sum[index] * (1 - weight)) + (added[index] * weight);
        return From(sum);
    }

    private ActionUnits Jitter(ref FaceRandom random)
    {
        Span<float> units = stackalloc float[Length];
        CopyTo(units);
        foreach (ref float unit in units)
            unit = Math.Clamp(unit + (0.06f * random.Normal()), -0.6f, 1.2f);
        return From(units);
    }

    private void CopyTo(Span<float> units)
    {
        units[0] = InnerBrowRaise;
        units[1] = OuterBrowRaise;
        units[2] = BrowLower;
        units[3] = LidRaise;
        units[4] = CheekRaise;
        units[5] = LidTighten;
        units[6] = NoseWrinkle;
        units[7] = UpperLipRaise;
        units[8] = CornerUp;
        units[9] = CornerDown;
        units[10] = ChinRaise;
        units[11] = LipStretch;
        units[12] = LipPress;
        units[13] = MouthOpen;
    }

    private static ActionUnits From(ReadOnlySpan<float> units) => new()
    {
        InnerBrowRaise = units[0],
        OuterBrowRaise = units[1],
        BrowLower = units[2],
        LidRaise = units[3],
        CheekRaise = units[4],
        LidTighten = units[5],
        NoseWrinkle = units[6],
        UpperLipRaise = units[7],
        CornerUp = units[8],
        CornerDown = units[9],
        ChinRaise = units[10],
        LipStretch = units[11],
        LipPress = units[12],
        MouthOpen = units[13],
    };
}
