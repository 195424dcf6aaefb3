using System.Text.Json;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;

namespace Cliper.Model;

// The two stages of an answer: faces are found and cut out on any number of threads, then the model answers them
// together.
public sealed partial class ExpressionRecognizer
{
    /// <summary>
    /// Finds the faces of an image and cuts them out, which is the part of an answer that several threads do side by
    /// side.
    /// </summary>
    /// <param name="image">The image; it is not kept.</param>
    /// <param name="name">The name that its answer gets.</param>
    /// <param name="faces">Which faces; null for the recognizer's own choice.</param>
    /// <returns>The faces, for <see cref="Recognize(IReadOnlyList{FoundFaces}, CancellationToken)"/>.</returns>
    /// <exception cref="InputException">A given box lies outside of the image.</exception>
    public FoundFaces Find(RgbImage image, string name, FaceSelection? faces = null)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentException.ThrowIfNullOrEmpty(name);
        FaceCrop crop = faces is { } selection ? CropOf(selection) : _crop;
        return Cut(image, name, crop, crop.Faces(image, name) is { } found
            ? [.. found.Select((face, id) => (id, (Face?)face))] : [(0, null)]);
    }

    /// <summary>The answers for images whose faces are found, in their order.</summary>
    /// <param name="images">The images; their faces go through the model together.</param>
    /// <param name="cancellation">Ends it between batches with an <see cref="OperationCanceledException"/>.</param>
    public IReadOnlyList<Recognition> Recognize(IReadOnlyList<FoundFaces> images,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        var predictions = new Queue<Prediction>();
        foreach (StoredImage[] batch in images.SelectMany(image => image.Cut).Chunk(FacesAtOnce))
        {
            cancellation.ThrowIfCancellationRequested();
            lock (_answering)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                foreach (Prediction prediction in _predictor.Predict(batch))
                    predictions.Enqueue(prediction);
            }
        }
        return [.. images.Select(image => new Recognition(image.Name, image.Width, image.Height,
            [.. image.Faces.Select(face => Named(face.Id, face.Face, predictions.Dequeue()))]))];
    }

    /// <summary>
    /// Writes answers as the document that <c>predict --json</c> prints. An answer with a
    /// <see cref="Recognition.Problem"/> or without a face stands among the skipped.
    /// </summary>
    /// <param name="json">Where to.</param>
    /// <param name="answers">Answers of this recognizer.</param>
    public void WriteJson(Utf8JsonWriter json, IEnumerable<Recognition> answers)
    {
        ArgumentNullException.ThrowIfNull(json);
        ILookup<bool, Recognition> all = answers.ToLookup(answer => answer is { Problem: null, Faces.Count: > 0 });
        _document.Write(json, [], all[false].Select(answer => KeyValuePair.Create(answer.Name,
            answer.Problem ?? PredictionDocument.NoFace)), all[true].Select(ResultOf));
    }

    private FileResult ResultOf(Recognition answer) => new(answer.Name, [.. answer.Faces.Select(face => new FaceResult(
        face.Box is { } box ? new Face(box, face.Score, face.Points) : null, PredictionOf(face)))])
    {
        Size = (answer.Width, answer.Height),
    };

    private Prediction PredictionOf(RecognizedFace face)
    {
        float[] probabilities = [.. _names.Classes.Select(name => face.Probabilities[name])];
        return new Prediction(Array.IndexOf(probabilities, face.Probability), probabilities, face.Descriptor);
    }

    private Recognition[] Answer(IReadOnlyList<(string Name, RgbImage Image)> images, CancellationToken cancellation) =>
        [.. Recognize([.. images.AsParallel().AsOrdered().WithCancellation(cancellation)
            .Select(image => Find(image.Image, image.Name))], cancellation)];

    private FoundFaces Cut(RgbImage image, string name, FaceCrop crop, IReadOnlyList<(int Id, Face? Face)> faces) =>
        new(name, image.OriginalWidth, image.OriginalHeight,
            [.. faces.Select(face => (face.Id, face.Face?.Scaled(image.Reduction)))],
            [.. faces.Select(face => _predictor.Store(crop.Cut(image, face.Face, name)))]);

    private RecognizedFace Named(int id, Face? face, Prediction prediction) =>
        new(id, face?.Box, face?.Score ?? 1, face?.Points ?? [], _names.Of(prediction),
            prediction.Probabilities[prediction.Class],
            _names.Classes.Zip(prediction.Probabilities).ToDictionary(pair => pair.First, pair => pair.Second),
            prediction.Subclass);

    private FaceCrop CropOf(FaceSelection faces) => faces == FaceSelection.None ? FaceCrop.None
        : _sought.Value.With(onlyLargest: faces == FaceSelection.Largest);

    private FaceCrop Sought(RecognizerOptions options, FaceFraming framing) =>
        options.FaceBox is { } box ? FaceCrop.Given(box, framing)
        : options.FaceTable is { } table ? FaceCrop.Listed(table, framing)
        : FaceCrop.Sought(options.FaceDetector ?? (_network = new BlazeFace()), framing);
}
