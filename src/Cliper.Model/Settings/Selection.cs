namespace Cliper.Model.Settings;

/// <summary>Which epoch's model a run ends with.</summary>
public enum Selection
{
    /// <summary>The last one's.</summary>
    Last,

    /// <summary>The one with the best WAR on a validation split, or on a part of the training split held out for
    /// it.</summary>
    BestOnValidation,

    /// <summary>
    /// The one with the best WAR on the test split, as the authors' script picks it. The result then has seen the test
    /// labels, and the report says so.
    /// </summary>
    BestOnTest,
}
