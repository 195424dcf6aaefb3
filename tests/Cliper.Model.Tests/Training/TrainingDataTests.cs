using Cliper.Kernels.Cpu;
using Cliper.Model.Loading;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Tests.Training;

public sealed class TrainingDataTests
{
    [Test]
    public void CaptionsAreMadeOfLabelsFirstAndThePicturesOwnAfterwards()
    {
        var faces = new SyntheticFacesData("train", 1, 14, 16);
        var settings = new TrainSettings { CaptionTemplates = ["a {} face.", "looks {}."], LabelCaptionEpochs = 1 };
        var data = new TrainingData(faces.ToSplit(), null, null, settings, "", (index, epoch) =>
            $"picture {index} in epoch {epoch}");
        using var device = new CpuDevice(1);
        using BatchLoader loader = data.TrainLoader(new StageSettings { BatchSize = 14 },
            new ClipShape { ImageSize = 16 }.ToConfig(600).ImageInput, device);
        using Batch batch = loader.Epoch(0).First();

        string[] names = [.. batch.Labels.Take(14).Select(label => data.Train.Classes[label])];
        Assert.That(data.CaptionsOf(batch, 0), Is.EqualTo(names.Select(name => $"a {name} face.")));
        Assert.That(data.CaptionsOf(batch, 1),
            Is.EqualTo(batch.Indices.Take(14).Select(index => $"picture {index} in epoch 1")));
        Assert.That(data.AllCaptions(), Does.Contain("looks anger.").And.Contain("picture 13 in epoch 0"));
    }
}
