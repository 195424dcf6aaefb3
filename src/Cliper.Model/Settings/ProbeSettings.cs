namespace Cliper.Model.Settings;

/// <summary>The way a linear probe is found.</summary>
public enum ProbeSolver
{
    /// <summary>The minimum of the regularized cross-entropy, by L-BFGS, as in CLIP's paper.</summary>
    Lbfgs,

    /// <summary>By the training loop, with the settings of stage 2.</summary>
    Gradient,
}

/// <summary>The linear probe.</summary>
public sealed record ProbeSettings
{
    /// <summary>The way it is found.</summary>
    public ProbeSolver Solver { get; init; }

    /// <summary>
    /// Factor C of the data's cross-entropies beside half the squared weights; 0 to choose it on a part of the training
    /// split that is held out.
    /// </summary>
    public double C { get; init; }

    /// <summary>That part.</summary>
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>Most iterations of L-BFGS.</summary>
    public int MaxIterations { get; init; } = 1000;

    /// <summary>Largest entry of the gradient, divided by C and the number of samples, at which it ends.</summary>
    public double Tolerance { get; init; } = 1e-6;

    /// <summary>Checks the values.</summary>
    /// <exception cref="SettingsException">One is out of range.</exception>
    internal void Check()
    {
        if (C is not (0 or (>= 1e-9 and <= 1e9)))
            throw new SettingsException($"probe.c is {C}; it must lie within 1e-9 and 1e9, or be 0 to be chosen");
        if (ValidationFraction is not (>= 0.01 and <= 0.9))
            throw new SettingsException(
                $"probe.validationFraction is {ValidationFraction}; it must lie within 0.01 and 0.9");
        if (MaxIterations is < 1 or > 1_000_000)
            throw new SettingsException($"probe.maxIterations is {MaxIterations}; it must lie within 1 and 1000000");
        if (Tolerance is not (>= 1e-14 and <= 1))
            throw new SettingsException($"probe.tolerance is {Tolerance}; it must lie within 1e-14 and 1");
    }
}
