using System.Globalization;
using System.Text.Json;
using Cliper.Model.Images;
using Cliper.Model.Weights;

namespace Cliper.Cli.Tests;

/// <summary>The commands on tiny pictures and a tiny model, from training to prediction.</summary>
public sealed class RunTests
{
    private static readonly string[] Classes = ["anger", "happiness", "sadness"];

    private string _folder = "";

    private string Run => In("run");

    [OneTimeSetUp]
    public void Train()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-cli-").FullName;
        foreach ((string split, int count) in new[] { ("train", 12), ("test", 4) })
            for (int label = 0; label < Classes.Length; label++)
                for (int index = 0; index < count; index++)
                    Draw(In("data", split, Classes[label], $"{index}.png"), label, split.Length * 100 + index);
        ProgramRun run = ProgramRun.InProcess(["train", "--out", Run, "--pretrain-epochs", "3", "--json", .. Tiny]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("samples").GetInt32(), Is.EqualTo(12));
    }

    [OneTimeTearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void ARunLeavesWhatItPromises()
    {
        foreach (string file in new[] { "config.json", "metrics.jsonl", "metrics.csv", "report.html",
            "checkpoints/model.safetensors", "checkpoints/last.safetensors" })
            Assert.That(Path.Combine(Run, file), Does.Exist);
        foreach (string line in File.ReadLines(Path.Combine(Run, "metrics.jsonl")))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            Assert.That(row.RootElement.TryGetProperty("stage", out _) && row.RootElement.TryGetProperty("lr", out _),
                line);
        }
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(Path.Combine(Run, "config.json")));
        Assert.That(config.RootElement.GetProperty("pretrain").GetProperty("epochs").GetInt32(), Is.EqualTo(3));
        Assert.That(config.RootElement.GetProperty("shape").GetProperty("imageSize").GetInt32(), Is.EqualTo(16));
    }

    [Test]
    public void TheMetricsHoldTheTrainingsAccuracy()
    {
        foreach (string line in File.ReadLines(Path.Combine(Run, "metrics.jsonl")))
        {
            using JsonDocument row = JsonDocument.Parse(line);
            bool counted = row.RootElement.TryGetProperty("accuracy", out JsonElement accuracy);
            Assert.That(counted, Is.EqualTo(row.RootElement.GetProperty("stage").GetString() != "pretrain"), line);
            if (counted)
                Assert.That(accuracy.GetDouble(), Is.InRange(0, 1));
        }
    }

    [Test]
    public void AClosedTerminalEndsNoTraining()
    {
        ProgramRun run = ProgramRun.Interrupted("HUP", "pretrain epoch 2/", ["train", "--out", In("hung-up"),
            "--pretrain-epochs", "3", "--json", .. Tiny]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(In("hung-up", "result.json"), Does.Exist);
    }

    [Test]
    public void TheTemperatureIsTheClipsOwnUnlessOneIsSet()
    {
        (float own, float scale) = Temperature(Run);
        // The CLIP learned it: it has moved from where it began, 0.07.
        Assert.That(own, Is.Not.EqualTo(0.07f).Within(1e-4f));
        Assert.That(own, Is.EqualTo(MathF.Exp(-scale)));

        ProgramRun set = ProgramRun.InProcess(["train", "--out", In("set"), "--pretrain-epochs", "1", "--set",
            "temperature=0.05", .. Tiny]);
        Assert.That(set.ExitCode, Is.Zero, set.Error);
        Assert.That(Temperature(In("set")).Temperature, Is.EqualTo(0.05f));

        static (float Temperature, float LogitScale) Temperature(string run)
        {
            using var file = new SafeTensors(Path.Combine(run, "checkpoints", "model.safetensors"));
            return (float.Parse(file.Metadata["temperature"], CultureInfo.InvariantCulture),
                file.ReadFloats("clip.logit_scale")[0]);
        }
    }

    [Test]
    public void AnEvaluationIsOneDocument()
    {
        ProgramRun run = ProgramRun.InProcess("eval", "--run", Run, "--data", In("data"), "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("war").GetDouble(), Is.InRange(0, 1));
        Assert.That(run.Json.GetProperty("uar").GetDouble(), Is.InRange(0, 1));
        Assert.That(run.Json.GetProperty("classes").EnumerateArray().Select(name => name.GetString()),
            Is.EqualTo(Classes));
        Assert.That(run.Json.GetProperty("confusion").EnumerateArray()
            .Sum(row => row.EnumerateArray().Sum(count => count.GetInt32())), Is.EqualTo(12));
        Assert.That(run.Json.GetProperty("samples").GetInt32(), Is.EqualTo(12));
        Assert.That(run.Json.GetProperty("split").GetString(), Is.EqualTo("test"));
    }

    [Test]
    public void APredictionIsAnObjectAPicture()
    {
        ProgramRun run = ProgramRun.InProcess("predict", "--checkpoint", Run, In("data", "test"), "--faces",
            "none", "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("schema").GetInt32(), Is.EqualTo(1));
        Assert.That(run.Json.GetProperty("model").GetProperty("classes").EnumerateArray().Select(name =>
            name.GetString()), Is.EqualTo(Classes));
        Assert.That(run.Json.GetProperty("model").GetProperty("sha256").GetString(), Does.Match("^[0-9a-f]{64}$"));
        JsonElement[] pictures = [.. run.Json.GetProperty("results").EnumerateArray()];
        Assert.That(pictures, Has.Length.EqualTo(12));
        foreach (JsonElement picture in pictures)
        {
            Assert.That(picture.GetProperty("file").GetString(), Does.Exist);
            JsonElement face = picture.GetProperty("faces").EnumerateArray().Single();
            Assert.That(face.GetProperty("box").ValueKind, Is.EqualTo(JsonValueKind.Null));
            string expression = face.GetProperty("expression").GetString()!;
            Assert.That(Classes, Does.Contain(expression));
            JsonElement shares = face.GetProperty("probabilities");
            Assert.That(face.GetProperty("probability").GetDouble(),
                Is.EqualTo(shares.GetProperty(expression).GetDouble()));
            // Three fp32 shares of one: each rounded by at most 2^-25.
            Assert.That(shares.EnumerateObject().Sum(share => share.Value.GetDouble()), Is.EqualTo(1).Within(1e-6));
            Assert.That(face.GetProperty("descriptor").GetInt32(), Is.InRange(0, 4));
        }
    }

    [Test]
    public void PredictionsCanBeATable()
    {
        ProgramRun run = ProgramRun.InProcess("predict", "--checkpoint", Run, In("data", "test", "anger"), "--faces",
            "none", "--csv", "-");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out,
            Does.StartWith(
            "file,id,x,y,width,height,score,faceShare,expression,probability,descriptor,anger,happiness,sadness,"
            + "model\n"));
        Assert.That(run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(5));
    }

    [Test]
    public void AnUnreadablePictureIsNamedAndLeftOut()
    {
        string folder = In("broken");
        Draw(Path.Combine(folder, "good.png"), 0, 1);
        File.WriteAllText(Path.Combine(folder, "bad.png"), "no picture");

        ProgramRun lenient = ProgramRun.InProcess("predict", "--checkpoint", Run, folder, "--faces", "none", "--json");
        ProgramRun strict = ProgramRun.InProcess("predict", "--checkpoint", Run, folder, "--faces", "none", "--json",
            "--strict");

        Assert.That(lenient.ExitCode, Is.Zero, lenient.Error);
        Assert.That(lenient.Json.GetProperty("results").GetArrayLength(), Is.EqualTo(1));
        Assert.That(lenient.Json.GetProperty("skipped")[0].GetProperty("file").GetString(), Does.EndWith("bad.png"));
        Assert.That(lenient.Error, Does.Contain("bad.png").And.Contain("skipped 1 unreadable picture"));
        Assert.That((strict.ExitCode, strict.Out), Is.EqualTo((3, "")));
        Assert.That(strict.Error, Does.Contain("bad.png").And.Not.Contain("   at "));
    }

    [Test]
    public void FeaturesAreWrittenInTheOrderOfTheirPaths()
    {
        string weights = In("pretrained", "clip.safetensors"), texts = In("texts.txt"),
            features = In("features.safetensors");
        ProgramRun pretrain = ProgramRun.InProcess(["pretrain", "--out", In("pretrained"), "--pretrain-epochs", "1",
            .. Tiny[..^4]]);
        Assert.That(pretrain.ExitCode, Is.Zero, pretrain.Error);
        File.WriteAllText(texts, "a photo of a happy face.\nanger\n");

        ProgramRun run = ProgramRun.InProcess("embed", "--weights", weights, "--images", In("data", "test"), "--texts",
            texts, "--out", features, "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("images").GetInt32(), Is.EqualTo(12));
        using var file = new SafeTensors(features);
        Assert.That(file.ReadFloats("image_features"), Has.Length.EqualTo(12 * 16));
        Assert.That(file.ReadFloats("text_features"), Has.Length.EqualTo(2 * 16));
        Assert.That(file.ReadFloats("logits_per_image"), Has.Length.EqualTo(12 * 2));
        string[] names = JsonSerializer.Deserialize<string[]>(file.Metadata["images"])!;
        Assert.That(names, Is.Ordered.Using((IComparer<string>)StringComparer.Ordinal));
    }

    [Test]
    public void TheEmulatedDeviceTrainsPredictsAndEmbeds()
    {
        string data = In("four"), run = In("emulated"), texts = In("emulated.txt");
        for (int index = 0; index < 8; index++)
            Draw(Path.Combine(data, index < 4 ? "train" : "test", Classes[index % 2], $"{index}.png"),
                index % 2, index);
        File.WriteAllText(texts, "anger\n");
        string weights = Path.Combine(Run, "checkpoints", "model.safetensors");
        ProgramRun train = ProgramRun.InProcess(["train", "--out", run, "--pretrain-epochs", "1",
            "--device", "emulated",
                .. Tiny.Select(word => word == In("data") ? data : word)]),
            eval = ProgramRun.InProcess("eval", "--run", run, "--data", data, "--dataset", "folder", "--device",
            "emulated", "--json"),
            predict = ProgramRun.InProcess("predict", "--checkpoint", run, Path.Combine(data, "test"), "--faces",
            "none", "--device", "emulated", "--json");
        Assert.That(train.ExitCode, Is.Zero, train.Error);
        Assert.That(eval.ExitCode, Is.Zero, eval.Error);
        Assert.That(eval.Json.GetProperty("samples").GetInt32(), Is.EqualTo(4));
        Assert.That(predict.ExitCode, Is.Zero, predict.Error);
        Assert.That(predict.Json.GetProperty("results").GetArrayLength(), Is.EqualTo(4));

        float[][] features = [.. new[] { "cpu", "emulated" }.Select(device =>
        {
            string file = In($"{device}.safetensors");
            ProgramRun embed = ProgramRun.InProcess("embed", "--weights", weights, "--images",
                Path.Combine(data, "test"), "--texts", texts,
                "--out", file, "--device", device);
            Assert.That(embed.ExitCode, Is.Zero, embed.Error);
            using var written = new SafeTensors(file);
            return (float[])[.. written.ReadFloats("image_features"), .. written.ReadFloats("text_features")];
        })];
        // A layer's towers keep eight results in fp16, as does the embedding: by WholeModelTests off by at most
        // sqrt(16) 2^-11 of a feature's length, and no two features alike so that another picture's would be off by far
        // more.
        double off = Math.Sqrt(features[0].Zip(features[1], (x, y) => (x - y) * (double)(x - y)).Sum() / features[0]
            .Sum(x => (double)x * x));
        Assert.That(off, Is.InRange(1e-6, 4.0 / (1 << 11)));
    }

    [Test]
    public void TheClipInACheckpointServesAsWeights()
    {
        string checkpoint = Path.Combine(Run, "checkpoints", "model.safetensors"), texts = In("words.txt"),
            features = In("words.safetensors");
        File.WriteAllText(texts, "anger\n");

        ProgramRun embed = ProgramRun.InProcess("embed", "--weights", checkpoint, "--texts", texts, "--out", features);
        ProgramRun verify = ProgramRun.InProcess("weights", "verify", checkpoint);

        Assert.That(embed.ExitCode, Is.Zero, embed.Error);
        Assert.That(verify.ExitCode, Is.Zero, verify.Error);
    }

    [Test]
    public void ATrainedModelOfHalfTheSizeAnswersAlike()
    {
        string half = In("half.safetensors"), clip = In("clip-alone.safetensors"),
            whole = Path.Combine(Run, "checkpoints", "model.safetensors");

        ProgramRun kept = ProgramRun.InProcess("weights", "convert", whole, "--type", "f16", "--out", half);
        ProgramRun alone = ProgramRun.InProcess("weights", "convert", whole, "--naming", "openai", "--out", clip);

        Assert.That((kept.ExitCode, alone.ExitCode), Is.EqualTo((0, 0)), kept.Error + alone.Error);
        Assert.That(new FileInfo(half).Length, Is.LessThan(0.75 * new FileInfo(whole).Length));
        JsonElement[] before = Answers(whole), after = Answers(half);
        for (int i = 0; i < before.Length; i++)
            foreach (string name in Classes)
                // Every weight is rounded by 2^-11 of itself; features of unit length then differ by some of these,
                // cosines as much, and a probability by a quarter of the logits' difference, their temperature being
                // near 0.07.
                Assert.That(Probability(after[i], name), Is.EqualTo(Probability(before[i], name)).Within(0.02));
        Assert.That(ProgramRun.InProcess("predict", "--checkpoint", clip, In("data", "test")).ExitCode, Is.EqualTo(3));

        JsonElement[] Answers(string checkpoint) =>
            [.. ProgramRun.InProcess("predict", "--checkpoint", checkpoint, In("data", "test"), "--faces", "none",
            "--json").Json
                .GetProperty("results").EnumerateArray().Select(picture => picture.GetProperty("faces")[0])];
        static double Probability(JsonElement answer, string name) => answer.GetProperty("probabilities")
            .GetProperty(name).GetDouble();
    }

    [Test]
    public void WithoutACheckpointTheModelThatShipsAnswersAndSaysWhatItIs()
    {
        ProgramRun run = ProgramRun.InProcess("predict", In("data", "test", "anger"), "--faces", "none",
            "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("results").GetArrayLength(), Is.EqualTo(4));
        Assert.That(run.Json.GetProperty("model").GetProperty("name").GetString(), Is.EqualTo("photographs"));
        Assert.That(run.Error, Does.Contain("no --model is given").And.Contain("FER2013: research use"));
        ProgramRun named = ProgramRun.InProcess("predict", "--model", "photographs", In("data", "test", "anger"),
            "--faces", "none", "--json");
        Assert.That(named.Out, Is.EqualTo(run.Out));
        Assert.That(named.Error, Does.Not.Contain("no --model"));
    }

    [Test]
    public void APictureFromStandardInputIsAnswered()
    {
        string picture = In("data", "test", "anger", "0.png"), drawn = In("stdin.png");

        ProgramRun run = ProgramRun.WithInput(File.ReadAllBytes(picture), "predict", "-", "--model", Run, "--faces",
            "none", "--json", "--annotate", drawn);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement result = run.Json.GetProperty("results")[0], file = ProgramRun.InProcess("predict", picture,
            "--model", Run, "--faces", "none", "--json").Json.GetProperty("results")[0];
        Assert.That(result.GetProperty("file").GetString(), Is.EqualTo("-"));
        Assert.That(result.GetProperty("faces").ToString(), Is.EqualTo(file.GetProperty("faces").ToString()));
        Assert.That(drawn, Does.Exist);
        Assert.That(ProgramRun.WithInput([1, 2, 3], "predict", "-", "--model", Run).ExitCode, Is.EqualTo(3));
    }

    [Test]
    public void AnAnswerThatIsNotSureIsCalledUncertain()
    {
        string[] pictures = ["predict", "--model", Run, In("data", "test"), "--faces", "none"];

        JsonElement[] faces = [.. ProgramRun.InProcess([.. pictures, "--json", "--min-probability", "0.5"]).Json
            .GetProperty("results").EnumerateArray().Select(result => result.GetProperty("faces")[0])];
        string[] table = ProgramRun.InProcess([.. pictures, "--csv", "-", "--min-probability", "1"]).Out.TrimEnd()
            .Split('\n');
        ProgramRun text = ProgramRun.InProcess([.. pictures, "--min-probability", "1"]);

        Assert.That(faces.Select(face => face.GetProperty("expression").GetString() == "uncertain"),
            Is.EqualTo(faces.Select(face => face.GetProperty("probability").GetDouble() < 0.5)));
        Assert.That(table[1..].Select(row => row.Split(',')[8]), Has.All.EqualTo("uncertain"));
        Assert.That(text.Out.TrimEnd().Split('\n'), Has.All.StartsWith("uncertain "));
    }

    [Test]
    public void TheTermsOfTheDataStandInTheAnswers()
    {
        ProgramRun trained = ProgramRun.InProcess(["train", "--out", In("bound"), "--pretrain-epochs", "1", "--set",
            "terms=trained on stripes: for tests", .. Tiny]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);

        ProgramRun run = ProgramRun.InProcess("predict", "--model", In("bound"), In("data", "test", "anger"),
            "--faces", "none", "--json");

        Assert.That(run.Json.GetProperty("model").GetProperty("notes").EnumerateArray().Select(note =>
            note.GetString()), Has.Some.EqualTo("trained on stripes: for tests"));
        Assert.That(run.Error, Does.Contain("bound: trained on stripes: for tests"));
    }

    [Test]
    public void WeightsAnswerZeroShotWithTheClassesThatAreNamed()
    {
        string weights = Path.Combine(Run, "checkpoints", "model.safetensors");

        ProgramRun run = ProgramRun.InProcess("predict", "--weights", weights, "--classes", "sad,angry,happy",
            In("data", "test"), "--faces", "none", "--json"),
            eval = ProgramRun.InProcess("eval", "--weights", weights, "--data", In("data"), "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement model = run.Json.GetProperty("model");
        Assert.That(model.GetProperty("method").GetString(), Is.EqualTo("zero-shot"));
        Assert.That(model.GetProperty("classes").EnumerateArray().Select(name => name.GetString()),
            Is.EqualTo(new[] { "sad", "angry", "happy" }));
        Assert.That(eval.ExitCode, Is.Zero, eval.Error);
        // The data's classes are the nouns of the same adjectives, so that the same captions stand for them: the
        // share that predict has right is the accuracy of eval.
        string[] nouns = ["sadness", "anger", "happiness"], words = ["sad", "angry", "happy"];
        double right = run.Json.GetProperty("results").EnumerateArray().Average(result =>
            Path.GetFileName(Path.GetDirectoryName(result.GetProperty("file").GetString()))
            == nouns[Array.IndexOf(words, result.GetProperty("faces")[0].GetProperty("expression").GetString())]
            ? 1.0 : 0);
        Assert.That(eval.Json.GetProperty("war").GetDouble(), Is.EqualTo(right).Within(1e-9));
    }

    [Test]
    public void ARunWithAValidationSplitFitsTheTemperatureOfItsAnswers()
    {
        ProgramRun trained = ProgramRun.InProcess(["train", "--out", In("fitted"), "--pretrain-epochs", "3", "--set",
            "select=bestOnValidation", "--set", "validationFraction=0.25", .. Tiny]);

        Assert.That(trained.ExitCode, Is.Zero, trained.Error);
        Assert.That(trained.Error, Does.Match("answer temperature [0-9.]+, fitted on 9 samples of validation"));
        using (var model = new SafeTensors(In("fitted", "checkpoints", "model.safetensors")))
            Assert.That(float.Parse(model.Metadata["answerTemperature"], CultureInfo.InvariantCulture),
                Is.InRange(0.05f, 20f).And.Not.EqualTo(1));
        ProgramRun eval = ProgramRun.InProcess("eval", "--model", In("fitted"), "--data", In("data"), "--json"),
            text = ProgramRun.InProcess("eval", "--model", In("fitted"), "--data", In("data"));
        Assert.That(eval.Json.GetProperty("calibrationError").GetDouble(), Is.InRange(0, 1));
        Assert.That(text.Out, Does.Contain("fitted: expected calibration error 0."));
    }

    [Test]
    public void CaptionsOfTheirOwnPretrain()
    {
        string folder = In("captioned");
        for (int index = 0; index < 10; index++)
            Draw(Path.Combine(folder, $"{index}.png"), index % 3, index);
        File.WriteAllText(Path.Combine(folder, "captions.csv"),
            "file,caption\n" + string.Concat(Enumerable.Range(0, 10).Select(index =>
            $"{index}.png,\"stripes, number {index % 3}\"\n")));
        string[] args = ["pretrain", .. Tiny[..^4].Select(word => word == In("data") ? folder : word),
            "--pretrain-epochs", "1", "--json"];

        ProgramRun run = ProgramRun.InProcess([.. args, "--out", In("captioned-run")]);
        File.AppendAllText(Path.Combine(folder, "captions.csv"), "missing.png,nothing\n");
        ProgramRun bad = ProgramRun.InProcess([.. args, "--out", In("captioned-bad")]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("weights").GetString(), Does.Exist);
        Assert.That((bad.ExitCode, bad.Out), Is.EqualTo((3, "")));
        Assert.That(bad.Error, Does.Contain("captions.csv"));
    }

    [Test]
    public void AnInterruptedRunCanGoOn()
    {
        string run = In("interrupted");
        string[] endless = ["train", "--out", run, "--pretrain-epochs", "100000", .. Tiny];

        ProgramRun interrupted = ProgramRun.Interrupted("TERM", "pretrain epoch 3/", endless);

        Assert.That(interrupted.ExitCode, Is.EqualTo(130), interrupted.Error);
        Assert.That(interrupted.Error, Does.Contain("cliper-gpu: interrupted").And.Contain(
            $"go on with: cliper-gpu train --resume {run}"));
        Assert.That(Path.Combine(run, "checkpoints", "last.safetensors"), Does.Exist);
        string picture = Directory.GetFiles(In("data", "test", "anger"))[0];
        ProgramRun unfinished = ProgramRun.InProcess("predict", "--model", run, picture, "--faces", "none");
        Assert.That((unfinished.ExitCode, unfinished.Out), Is.EqualTo((3, "")));
        Assert.That(unfinished.Error, Does.Contain("has only come to pretrain").And.Contain("--resume").And.Contain(
            "--allow-unfinished"));
        ProgramRun allowed = ProgramRun.InProcess("predict", "--model", run, picture, "--faces", "none", "--json",
            "--allow-unfinished");
        Assert.That(allowed.ExitCode, Is.Zero, allowed.Error);
        Assert.That(allowed.Json.GetProperty("model").GetProperty("notes")[0].GetString(),
            Does.Contain("the run is not finished"));
        ProgramRun tooFew = ProgramRun.InProcess("train", "--resume", run, "--pretrain-epochs", "1");
        Assert.That(tooFew.ExitCode, Is.EqualTo(2));
        Assert.That(tooFew.Error,
            Does.Match("cliper-gpu: .*: [2-9] epochs of pretrain have been trained, more than 1: leave their number "
            + "as it was"));
        ProgramRun resumed = ProgramRun.InProcess("train", "--resume", run, "--pretrain-epochs", "3", "--json");
        Assert.That(resumed.ExitCode, Is.Zero, resumed.Error);
        Assert.That(resumed.Error, Does.Contain("going on in pretrain"));
    }

    [Test]
    public void ARunThatWasKilledGoesOnToTheSameBits()
    {
        string killed = In("killed"), whole = In("whole");
        string[] args = ["train", "--pretrain-epochs", "2", "--set", "stage2.epochs=250", .. Tiny];

        ProgramRun kill = ProgramRun.Interrupted("KILL", "stage2 epoch 3/", [.. args, "--out", killed]);
        // The run is as it is left when it was killed while it wrote a checkpoint.
        File.WriteAllText(Path.Combine(killed, "checkpoints", $".last.safetensors.{Guid.NewGuid():N}.tmp"),
            "half a checkpoint");
        ProgramRun resumed = ProgramRun.InProcess("train", "--resume", killed);
        ProgramRun unbroken = ProgramRun.InProcess([.. args, "--out", whole]);

        Assert.That(kill.ExitCode, Is.EqualTo(128 + 9), kill.Error);
        Assert.That((resumed.ExitCode, unbroken.ExitCode), Is.EqualTo((0, 0)), resumed.Error + unbroken.Error);
        Assert.That(resumed.Error, Does.Contain("going on in stage2"));
        Assert.That(File.ReadAllBytes(Path.Combine(killed, "checkpoints", "model.safetensors")),
            Is.EqualTo(File.ReadAllBytes(Path.Combine(whole, "checkpoints", "model.safetensors"))));
        Assert.That(Directory.GetFiles(Path.Combine(killed, "checkpoints")).Select(Path.GetFileName),
            Is.EquivalentTo((string[])["last.safetensors", "model.safetensors"]));
    }

    [Test]
    public void ARunIsResumedFromAnyFolder()
    {
        string[] relative = [.. Tiny.Select(argument => argument == In("data")
            ? Path.GetRelativePath(Environment.CurrentDirectory, argument) : argument)];
        Assert.That(relative, Is.Not.EqualTo(Tiny));

        ProgramRun run = ProgramRun.InProcess(["train", "--out", In("anywhere"), "--pretrain-epochs", "1",
            .. relative]);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using JsonDocument config = JsonDocument.Parse(File.ReadAllText(In("anywhere", "config.json")));
        Assert.That(config.RootElement.GetProperty("data").GetString(), Is.EqualTo(In("data")));
    }

    [Test]
    public void SettingsThatTheModelCannotFollowAreNotTakenForAResumedRun()
    {
        string config = File.ReadAllText(Path.Combine(Run, "config.json"));

        ProgramRun shape = ProgramRun.InProcess("train", "--resume", Run, "--set", "shape.visionWidth=128");
        ProgramRun descriptors = ProgramRun.InProcess("train", "--resume", Run, "--set", "subclasses=2");

        Assert.That((shape.ExitCode, descriptors.ExitCode), Is.EqualTo((2, 2)));
        Assert.That(shape.Error,
            Does.Contain("the setting shape is not the one that the run began with").And.Contain("--out"));
        Assert.That(descriptors.Error, Does.Contain("the setting subclasses is not"));
        Assert.That(File.ReadAllText(Path.Combine(Run, "config.json")), Is.EqualTo(config));
    }

    [TestCase("--stage2-epochs", "7", "stage2 has been trained with other settings")]
    [TestCase("--stage2-epochs", "0", "stage2 has been trained with other settings")]
    [TestCase("--set", "pretrain.learningRate=0.5", "pretrain has been trained with other settings")]
    public void WhatAFinishedRunWasTrainedWithStays(string option, string value, string message)
    {
        string config = File.ReadAllText(Path.Combine(Run, "config.json"));

        ProgramRun run = ProgramRun.InProcess("train", "--resume", Run, option, value);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message).And.Contain("--init"));
        Assert.That(File.ReadAllText(Path.Combine(Run, "config.json")), Is.EqualTo(config));
        Assert.That(File.Exists(Path.Combine(Run, "result.json")), Is.True);
    }

    [Test]
    public void ATrainingNamesThePicturesThatItLeavesOut()
    {
        string data = In("partly-broken");
        foreach (string file in Directory.GetFiles(In("data"), "*.png", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(data, Path.GetRelativePath(In("data"), file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        foreach (string file in new[] { Path.Combine(data, "train", "anger", "0.png"),
            Path.Combine(data, "test", "anger", "1.png") })
            File.WriteAllBytes(file, File.ReadAllBytes(file)[..200]);
        string[] args = ["train", "--pretrain-epochs", "1", .. Tiny.Select(word => word == In("data") ? data : word)];

        ProgramRun lenient = ProgramRun.InProcess([.. args, "--out", In("lenient")]);
        ProgramRun strict = ProgramRun.InProcess([.. args, "--out", In("strict"), "--strict"]);

        Assert.That(lenient.ExitCode, Is.Zero, lenient.Error);
        Assert.That(lenient.Error.Split('\n').Count(line => line.StartsWith("warning: skipped: ",
            StringComparison.Ordinal)), Is.EqualTo(2), lenient.Error);
        Assert.That(lenient.Error, Does.Contain("skipped 2 unreadable samples"));
        Assert.That(File.ReadAllText(Path.Combine(In("lenient"), "report.html")),
            Does.Contain("skipped 2 unreadable samples"));
        Assert.That((strict.ExitCode, strict.Out), Is.EqualTo((3, "")));
        Assert.That(strict.Error, Does.Contain("0.png: the picture is truncated"));
    }

    [Test]
    public void AFileThatOutgrowsItsLimitIsOneSentenceAndLeavesNoPart()
    {
        string run = In("limited");
        string args = string.Join(' ', ((string[])["train", "--out", run, "--pretrain-epochs", "2", .. Tiny])
            .Select(word => $"'{word}'"));

        // 300 KiB a file: less than a checkpoint, more than all that is written before. The runtime's own memory is a
        // file to the kernel unless it is told not to protect its code.
        ProgramRun limited = ProgramRun.Shell($"export DOTNET_EnableWriteXorExecute=0; ulimit -f 300; $PROGRAM {args}");

        Assert.That(limited.ExitCode, Is.EqualTo(1), limited.Error);
        Assert.That(limited.Error,
            Does.Contain("last.safetensors: cannot be written: it grows over the largest size").And.Not.Contain(
            "   at "));
        Assert.That(Directory.GetFileSystemEntries(Path.Combine(run, "checkpoints")), Is.Empty);
    }

    [Test]
    public void FeaturesAreThoseOfTheWeightsAndNotNormalized()
    {
        string checkpoint = Path.Combine(Run, "checkpoints", "model.safetensors"), weights = In("plain.safetensors");
        Assert.That(ProgramRun.InProcess("weights", "convert", checkpoint, "--naming", "openai", "--out",
            weights).ExitCode, Is.Zero);
        string texts = In("lines.txt"), features = In("lines.safetensors");
        File.WriteAllText(texts, "anger\r\n\nsadness");

        ProgramRun run = ProgramRun.InProcess("embed", "--weights", weights, "--tokenizer",
            Path.Combine(Run, "tokenizer"),
            "--images", In("data", "test", "sadness"), In("data", "test", "anger", "1.png"),
            In("data", "test", "anger"),
            "--texts", texts, "--out", features);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using var file = new SafeTensors(features);
        using var clip = new SafeTensors(weights);
        Assert.That(file.Tensors.Keys,
            Is.EquivalentTo((string[])["image_features", "text_features", "logits_per_image"]));
        Assert.That(file.Tensors.Values.Select(entry => entry.Type), Is.All.EqualTo(TensorType.F32));
        // A picture that is given twice is one row; an empty line is an empty text.
        Assert.That(file.Entry("image_features").Shape, Is.EqualTo((long[])[8, 16]));
        Assert.That(file.Entry("text_features").Shape, Is.EqualTo((long[])[3, 16]));
        Assert.That(file.Entry("logits_per_image").Shape, Is.EqualTo((long[])[8, 3]));
        Assert.That(JsonSerializer.Deserialize<string[]>(file.Metadata["texts"]),
            Is.EqualTo((string[])["anger", "", "sadness"]));
        string[] names = JsonSerializer.Deserialize<string[]>(file.Metadata["images"])!;
        Assert.That(names, Is.EqualTo(names.Order(StringComparer.Ordinal)).And.Length.EqualTo(8));
        float[][] images = [.. file.ReadFloats("image_features").Chunk(16)],
            lines = [.. file.ReadFloats("text_features").Chunk(16)];
        Assert.That(images.Concat(lines).Select(Norm), Is.All.Not.EqualTo(1).Within(1e-3));
        double scale = Math.Exp(clip.ReadFloats("logit_scale")[0]);
        float[] logits = file.ReadFloats("logits_per_image");
        for (int i = 0; i < logits.Length; i++)
        {
            float[] image = images[i / 3], text = lines[i % 3];
            double cosine = image.Zip(text).Sum(pair => (double)pair.First * pair.Second) / Norm(image) / Norm(text);
            // Sixteen products and two norms in fp32, each rounded by 2^-24 of itself, times the scale of about 14.
            Assert.That(logits[i], Is.EqualTo(scale * cosine).Within(scale * 40 * Math.Pow(2, -24)));
        }

        static double Norm(float[] row) => Math.Sqrt(row.Sum(value => (double)value * value));
    }

    [Test]
    public void TextsThatAreNotUtf8AreAnError()
    {
        string texts = In("latin1.txt");
        File.WriteAllBytes(texts, [.. "caf"u8, 0xe9, .. "\n"u8]);

        ProgramRun run = ProgramRun.InProcess("embed", "--weights",
            Path.Combine(Run, "checkpoints", "model.safetensors"),
            "--texts", texts, "--out", In("latin1.safetensors"));

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain("latin1.txt: the file of texts is not UTF-8"));
        Assert.That(In("latin1.safetensors"), Does.Not.Exist);
    }

    [Test]
    public void ATextThatIsTooLongIsNamedByItsLine()
    {
        string texts = In("long.txt");
        File.WriteAllText(texts, $"anger\n\n{string.Join(' ', Enumerable.Repeat("anger", 200))}\n");

        ProgramRun run = ProgramRun.InProcess("embed", "--weights",
            Path.Combine(Run, "checkpoints", "model.safetensors"),
            "--texts", texts, "--out", In("long.safetensors"));

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain($"{texts}:3: text 'anger anger").And.Contain("shorten it"));
    }

    [TestCase(2, "no settings: give --recipe", "train", "--out", "OUT")]
    [TestCase(2, "no recipe 'fer2012'", "train", "--recipe", "fer2012", "--out", "OUT")]
    [TestCase(2, "give either --out", "train", "--recipe", "fer2013")]
    [TestCase(2, "unknown setting 'stage2.epoch'; did you mean 'stage2.epochs'?", "train", "--recipe", "fer2013",
        "--set", "stage2.epoch=3", "--out", "OUT")]
    [TestCase(2, "--stage is '3'", "train", "--recipe", "fer2013", "--stage", "3", "--out", "OUT")]
    [TestCase(2, "holds a run already", "train", "--recipe", "fer2013", "--data", "DATA", "--out", "RUN")]
    [TestCase(2, "holds no config.json", "train", "--resume", "OUT")]
    [TestCase(2, "give a trained model with --model", "eval", "--data", "DATA")]
    [TestCase(2, "--checkpoint and --run exclude each other", "eval", "--run", "RUN", "--checkpoint", "RUN", "--data",
        "DATA")]
    [TestCase(2, "--classes is for CLIP weights", "predict", "--model", "RUN", "DATA", "--classes", "happy,sad")]
    [TestCase(2, "--classes is 'happy'", "predict", "--weights", "RUN/checkpoints/model.safetensors", "DATA",
        "--classes", "happy")]
    [TestCase(2, "--min-probability is 1.5", "predict", "--model", "RUN", "DATA", "--min-probability", "1.5")]
    [TestCase(3, "did you mean 'drawn-faces'?", "predict", "--model", "drawn-face", "DATA")]
    [TestCase(3, "nothing came from standard input", "predict", "--model", "RUN", "-")]
    [TestCase(2, "nothing to embed", "embed", "--weights", "OUT", "--out", "OUT")]
    [TestCase(3, "no such file or folder", "train", "--recipe", "fer2013", "--data", "OUT", "--out", "OUT")]
    [TestCase(3, "no such file", "eval", "--checkpoint", "OUT", "--data", "DATA")]
    [TestCase(3, "no such file or folder", "predict", "--checkpoint", "RUN", "OUT")]
    [TestCase(3, "no such file", "embed", "--weights", "OUT", "--images", "DATA", "--out", "OUT")]
    // Before the weights and the checkpoint are looked for: nothing is computed for a place that cannot be written.
    [TestCase(1, "cannot be written: it is a folder", "embed", "--weights", "OUT", "--images", "DATA", "--out", "DATA")]
    [TestCase(1, "cannot be written", "embed", "--weights", "OUT", "--images", "DATA", "--out",
        "/etc/passwd/features.safetensors")]
    [TestCase(1, "cannot be written: it is a folder", "predict", "--checkpoint", "OUT", "DATA", "--csv", "DATA")]
    public void BadInputIsOneSentence(int exitCode, string message, params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess([.. args.Select(word => word switch
        {
            "OUT" => In("nothing-here"),
            "RUN" => Run,
            "DATA" => In("data"),
            "RUN/checkpoints/model.safetensors" => Path.Combine(Run, "checkpoints", "model.safetensors"),
            _ => word,
        })]);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")), run.Error);
        Assert.That(run.Error, Does.Contain("cliper-gpu: ").And.Contain(message).And.Not.Contain("   at "));
        Assert.That(In("nothing-here"), Does.Not.Exist);
    }

    private string[] Tiny => TinyOn(In("data"));

    /// <summary>Settings of a model that trains in a second on pictures of <see cref="Draw"/>.</summary>
    internal static string[] TinyOn(string data) =>
    [
        "--recipe", "fer2013", "--data", data, "--dataset", "folder", "--batch-size", "8", "--threads", "1",
        "--set", "shape.imageSize=16", "--set", "shape.patchSize=8", "--set", "shape.visionWidth=64", "--set",
        "shape.visionLayers=1",
        "--set", "shape.textWidth=64", "--set", "shape.textLayers=1", "--set", "shape.embedSize=16", "--set",
        "dropDuplicates=false",
        "--stage1-epochs", "1", "--stage2-epochs", "1",
    ];

    private string In(params string[] names) => Path.Combine([_folder, .. names]);

    /// <summary>A picture of noise whose stripes tell its class.</summary>
    internal static void Draw(string path, int label, int seed)
    {
        const int Side = 24;
        var random = new Random(seed);
        var pixels = new byte[Side * Side * 3];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(random.Next(90) + (i / 3 % Side / (2 + 3 * label) % 2 == 0 ? 150 : 0));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, SkiaImageCodec.Instance.Encode(new RgbImage(Side, Side, pixels), ImageFormat.Png));
    }
}
