// The expressions in images and folders: dotnet run --project samples/Console -- photo.jpg photos/
using Cliper.Model;

using ExpressionRecognizer recognizer = ExpressionRecognizer.Load();
Console.Error.WriteLine($"{recognizer.Model.Name}: {string.Join("; ", recognizer.Model.Notes)}");
await foreach (Recognition image in recognizer.RecognizeFilesAsync(args))
{
    if (image.Problem is not null)
        Console.Error.WriteLine($"{image.Name}: {image.Problem}");
    foreach (RecognizedFace face in image.Faces)
        Console.WriteLine($"{image.Name}: {face.Expression} {face.Probability:P0} at {face.Box}");
}
