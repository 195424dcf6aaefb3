// One recognizer for all requests: dotnet run --project samples/AspNetCore
// curl --data-binary @photo.jpg http://localhost:5000/expressions
using Cliper.Model;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Services.AddCliper();
WebApplication app = builder.Build();
app.MapPost("/expressions", async (HttpRequest request, ExpressionRecognizer recognizer,
    CancellationToken cancellation) =>
{
    try
    {
        return Results.Ok(await recognizer.RecognizeAsync(request.Body, cancellation));
    }
    catch (InputException failure)
    {
        return Results.Problem(failure.Message, statusCode: StatusCodes.Status415UnsupportedMediaType);
    }
});
app.Run();
