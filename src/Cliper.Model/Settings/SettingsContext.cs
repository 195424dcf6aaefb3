using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Kernels.Operations;
using Cliper.Model.DataSets;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Settings;

/// <summary>
/// The generated code for the JSON of <see cref="TrainSettings"/>. Enumerations are written by name; each has to be
/// named here.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    Converters =
    [
        typeof(CamelCaseName<CacheMode>), typeof(CamelCaseName<ClassNames>), typeof(CamelCaseName<ClipFrames>),
        typeof(CamelCaseName<EmptySubclasses>),
        typeof(CamelCaseName<FaceStyle>), typeof(CamelCaseName<FeatureSource>), typeof(CamelCaseName<FerPlusLabels>),
        typeof(CamelCaseName<HeadInit>), typeof(CamelCaseName<MafwLabels>), typeof(CamelCaseName<NamePosition>),
        typeof(CamelCaseName<OptimizerKind>), typeof(CamelCaseName<ProbeSolver>), typeof(CamelCaseName<ScheduleKind>),
        typeof(CamelCaseName<Selection>), typeof(CamelCaseName<ShortClips>), typeof(CamelCaseName<TowerKind>),
        typeof(CamelCaseName<TrainingMethod>),
    ])]
[JsonSerializable(typeof(TrainSettings))]
internal sealed partial class SettingsContext : JsonSerializerContext;

/// <summary>Writes and reads a value of an enumeration by its name in camelCase, and never by its number.</summary>
internal sealed class CamelCaseName<T>() : JsonStringEnumConverter<T>(JsonNamingPolicy.CamelCase,
    allowIntegerValues: false) where T : struct, Enum;
