using System.Globalization;
using Cliper.Autograd;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Interpretation;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Model.Runs;

/// <summary>Maps over pictures, clips and videos, and the cosines of clips over time.</summary>
internal sealed class PictureExplanation
{
    private const int FramesShown = 6;

    private readonly Predictor _predictor;
    private readonly ExplanationRequest _request;
    private readonly Dictionary<string, string> _skipped;
    private readonly CancellationToken _cancellation;
    private readonly PixelPipeline _pipeline;
    private readonly FrameEncoder _encoder;
    private readonly MapMethod[] _methods;
    private readonly int? _label;
    private readonly HashSet<string> _names = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Prepares the explanation of pictures.</summary>
    /// <param name="predictor">The model.</param>
    /// <param name="request">The model and files to explain.</param>
    /// <param name="skipped">Receives files that cannot be explained, with reasons.</param>
    /// <param name="cancellation">Ends the work.</param>
    /// <exception cref="SettingsException">A map or class is unknown.</exception>
    public PictureExplanation(Predictor predictor, ExplanationRequest request, Dictionary<string, string> skipped,
        CancellationToken cancellation)
    {
        (_predictor, _request, _skipped, _cancellation) = (predictor, request, skipped, cancellation);
        ImageInput input = predictor.Model.Clip.Vision.Input;
        _pipeline = new PixelPipeline(input.ImageSize, Augmentation.None,
            Normalize.Table(input.Mean.ToArray(), input.Std.ToArray()));
        _encoder = new FrameEncoder(predictor.Model, predictor.ClassFeatures, flip: false);
        _methods = [.. request.Maps.Select(MethodOf)];
        _label = request.Class is null ? null : LabelOf(request.Class);
    }

    /// <summary>The maps by their names.</summary>
    public static IReadOnlyDictionary<string, MapMethod> Methods { get; } = new Dictionary<string, MapMethod>
    {
        ["rollout"] = MapMethod.Rollout,
        ["relevance"] = MapMethod.Relevance,
        ["last-layer"] = MapMethod.LastLayer,
        ["gradient"] = MapMethod.Gradient,
    };

    private IReadOnlyList<string> Classes => _predictor.Classes;

    private int PerClass => _predictor.Model.Prompts.PromptsPerClass;

    /// <summary>Adds the maps and curves to the page.</summary>
    public ExplainReport AddTo(ExplainReport report)
    {
        List<ExplainedImage> images = [];
        List<ExplainedClip> clips = [];
        if (_methods.Length > 0 && _request.Pictures.Count > 0)
            foreach (StillPicture picture in StillFaces.Find(_request.Pictures, _request.Crop, _pipeline.Size,
                _request.Strict, (name, reason) => _skipped[name] = reason, _cancellation))
                images.AddRange(Faces(picture));
        foreach (Sample clip in _request.Clips)
            Add(clip.Name, "", Frames(clip));
        foreach (VideoFile video in _request.Videos)
            Guarded(video.Path, () => Add(video.Path, "s", Frames(video)));
        return report with { Images = images, Clips = clips };

        void Add(string file, string unit, List<(double Time, StoredImage Image)> frames)
        {
            if (frames.Count == 0)
            {
                _skipped[file] = PredictionDocument.NoFace;
                return;
            }
            string name = NameOf(file);
            ExplainedClip clip = Over(name, file, unit, frames);
            if (clip.Rows.Count > 1)
                clips.Add(clip);
            if (_methods.Length > 0)
                images.Add(Strip(name, file, unit, frames, clip.Class));
        }
    }

    private void Guarded(string file, Action work)
    {
        try
        {
            work();
        }
        catch (InputException failure) when (!_request.Strict && failure.Remedy == Remedy.None)
        {
            _skipped[file] = failure.Message;
        }
    }

    private IEnumerable<ExplainedImage> Faces(StillPicture picture)
    {
        if (picture.Images.Count == 0)
            _skipped[picture.File] = PredictionDocument.NoFace;
        string name = NameOf(picture.File);
        for (int face = 0; face < picture.Images.Count; face++)
        {
            AttentionMaps maps = MapsOf(picture.Images[face], _label);
            Prediction answer = _predictor.Model.Answer(maps.Logits);
            string of = picture.Images.Count == 1 ? "" : string.Create(CultureInfo.InvariantCulture,
                $", face {face + 1}");
            string caption = $"{picture.File}{of}: {Describe(answer)}"
                + (maps.Chosen[0] == answer.Class ? "" : $"; explained is {Classes[maps.Chosen[0]]}");
            int number = face;
            yield return new ExplainedImage(
                face == 0 ? $"{name}-maps" : string.Create(CultureInfo.InvariantCulture, $"{name}-face{face + 1}-maps"),
                caption, MapOverlay.Draw([Seen(picture.Images[face])],
                    [[new MapPanel(Short(answer), null), .. Panels(maps)]]),
                [.. Tables(maps, picture.File, number, time: null)]);
        }
    }

    private ExplainedImage Strip(string name, string file, string unit,
        List<(double Time, StoredImage Image)> frames, string className)
    {
        int count = Math.Min(FramesShown, frames.Count);
        (double Time, StoredImage Image)[] shown = [.. Enumerable.Range(0, count)
            .Select(at => frames[(int)((at + 0.5) * frames.Count / count)])];
        int label = LabelOf(className);
        List<RgbImage> seen = [];
        List<IReadOnlyList<MapPanel>> panels = [];
        List<NamedMap> named = [];
        foreach ((double time, StoredImage image) in shown)
        {
            AttentionMaps maps = MapsOf(image, label);
            seen.Add(Seen(image));
            string at = string.Create(CultureInfo.InvariantCulture, $"{time:0.##} {unit}").TrimEnd();
            panels.Add([new MapPanel($"{at}: {Short(_predictor.Model.Answer(maps.Logits))}", null), .. Panels(maps)]);
            named.AddRange(Tables(maps, file, 0, time));
        }
        return new ExplainedImage($"{name}-maps", $"{file}: {className} over time", MapOverlay.Draw(seen, panels),
            named);
    }

    /// <summary>The maps that a table holds; one with a value a pixel is drawn alone.</summary>
    private IEnumerable<NamedMap> Tables(AttentionMaps maps, string file, int face, double? time) => _methods
        .Where(method => method != MapMethod.Gradient).Select(method => new NamedMap(file, face, time,
            Classes[maps.Chosen[0]], WordOf(method), maps.Of(method, 0)));

    private IEnumerable<MapPanel> Panels(AttentionMaps maps) => _methods.Select(method => new MapPanel(
        method == MapMethod.Rollout ? WordOf(method) : $"{WordOf(method)} {Classes[maps.Chosen[0]]}",
        maps.Of(method, 0)));

    private ExplainedClip Over(string name, string file, string unit,
        List<(double Time, StoredImage Image)> frames)
    {
        float temperature = _predictor.Model.Temperature;
        List<(double Time, float[] Cosines)> rows = [];
        var sums = new double[Classes.Count];
        foreach ((double Time, StoredImage Image)[] some in frames.Chunk(SampleReader.BatchSize))
        {
            _cancellation.ThrowIfCancellationRequested();
            foreach ((Prediction answer, double time) in _predictor.Predict([.. some.Select(frame => frame.Image)])
                .Zip(some.Select(frame => frame.Time)))
            {
                rows.Add((time, [.. answer.Logits.Select(logit => logit * temperature)]));
                for (int label = 0; label < sums.Length; label++)
                    sums[label] += answer.Probabilities[label];
            }
        }
        int best = _label ?? Array.IndexOf(sums, sums.Max());
        return new ExplainedClip(name, file, Classes[best], unit, rows);
    }

    /// <summary>The largest face of each frame of a clip, or all of each frame.</summary>
    private List<(double Time, StoredImage Image)> Frames(Sample clip)
    {
        Sample[] frames = [.. clip.Frames.Select(frame => new Sample(frame.Name, 0, [frame]))];
        Dictionary<string, int> places = frames.Index().ToDictionary(frame => frame.Item.Name, frame => frame.Index);
        return [.. StillFaces.Find(frames, _request.Crop.With(onlyLargest: true), _pipeline.Size, _request.Strict,
            (name, reason) => _skipped[name] = reason, _cancellation).Where(picture => picture.Images.Count > 0)
            .Select(picture => ((double)places[picture.File] + 1, picture.Images[0]))];
    }

    /// <summary>The largest face of each frame of a video, or all of each frame.</summary>
    private List<(double Time, StoredImage Image)> Frames(VideoFile video)
    {
        List<(double Time, StoredImage Image)> frames = [];
        int index = 0;
        foreach (RgbImage image in video.Frames(Damage, _cancellation))
        {
            double time = (index++ + 0.5) / video.Rate;
            Face? face = _request.Crop.Find(image, video.Path);
            if (face is not null || !_request.Crop.Seeks)
                frames.Add((time, _predictor.Store(_request.Crop.Cut(image, face, video.Path))));
        }
        return frames;
    }

    private void Damage(string text)
    {
        if (_request.Strict)
            throw new InputException(text);
        _request.Say?.Invoke($"warning: {text}");
    }

    private AttentionMaps MapsOf(StoredImage image, int? label)
    {
        using Tensor images = _encoder.Images([image]);
        return AttentionMaps.Of(_predictor.Model, _predictor.ClassFeatures, images, label, _cancellation);
    }

    /// <summary>The image as the model sees it.</summary>
    private RgbImage Seen(StoredImage image)
    {
        var pixels = new float[3 * _pipeline.Size * _pipeline.Size];
        _pipeline.Render(image, _pipeline.Draw(image, default), pixels);
        ImageInput input = _predictor.Model.Clip.Vision.Input;
        return MapOverlay.Seen(pixels, input.ImageSize, input.Mean.ToArray(), input.Std.ToArray());
    }

    private string Short(Prediction answer) => string.Create(CultureInfo.InvariantCulture,
        $"{Classes[answer.Class]} {100 * answer.Probabilities[answer.Class]:0} %");

    private string Describe(Prediction answer) => Short(answer)
        + (PerClass > 1 ? string.Create(CultureInfo.InvariantCulture, $", descriptor {answer.Subclass + 1}") : "");

    private string NameOf(string file)
    {
        string stem = Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(file)), name = stem;
        for (int number = 2; !_names.Add(name); number++)
            name = string.Create(CultureInfo.InvariantCulture, $"{stem}-{number}");
        return name;
    }

    private static string WordOf(MapMethod method) => Methods.First(pair => pair.Value == method).Key;

    private static MapMethod MethodOf(string name) => Methods.TryGetValue(name, out MapMethod method) ? method
        : throw new SettingsException($"there is no map '{name}'; there are {string.Join(", ", Methods.Keys)}"
            + Suggestion.Hint(name, Methods.Keys));

    private int LabelOf(string name) => Expressions.IndexOf(Classes, name) is >= 0 and var label ? label
        : throw new SettingsException($"the model has no class '{name}'; it has {string.Join(", ", Classes)}"
            + Suggestion.Hint(name, Classes));
}
