using System.CommandLine;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Samples;

namespace Cliper.Cli.Commands;

/// <summary>Decodes and resizes a data set's images once, into a file that training maps.</summary>
internal sealed class DataCacheCommand : CliCommand
{
    private readonly DataSetArguments _arguments = new();

    private readonly Option<string> _out = new("--out")
    {
        Description = "Folder of the cache files; give it to training as cacheFolder, with cache=disk.",
        HelpName = "FOLDER",
        Required = true,
    };

    private readonly Option<int> _imageSize = new("--image-size")
    {
        Description = "Side of the model's input, in pixels.",
        HelpName = "N",
        DefaultValueFactory = _ => 224,
    };

    private readonly Option<string> _augmentation = new("--augmentation")
    {
        Description = $"Augmentation of the training that will use it: {string.Join(", ", Augmentation.Names)}.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "script",
    };

    private readonly StrictOption _strict = new();

    public DataCacheCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("cache",
            "Decodes and resizes all pictures into one file a split, with checksums. A file that is "
            + "whole and up to date is kept.",
            terminal, common, cancellation)
    {
        _arguments.AddTo(this);
        foreach (Option option in new Option[] { _out, _imageSize, _augmentation, _strict })
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        (string name, string path, DataSetOptions options) = _arguments.Resolve(parsed);
        DataSetSplits splits = DataSetRegistry.Open(path, name,
            options with { TestFraction = 0, Cancellation = Cancellation });
        var skipped = new Dictionary<string, string>();
        var files = new List<(string Split, int Samples, int Images)>();
        foreach (DataSplit split in splits.All)
        {
            using var loader = new BatchLoader(split, new LoaderOptions
            {
                ImageSize = parsed.GetValue(_imageSize),
                Augmentation = Augmentation.Named(parsed.GetValue(_augmentation)!),
                Cache = CacheMode.Disk,
                CacheFolder = parsed.GetValue(_out),
                Strict = parsed.GetValue(_strict),
                Threads = Common.ThreadsOf(parsed) is var threads and > 0 ? threads : Environment.ProcessorCount,
            });
            loader.Prepare(new Teller(Terminal, split.Name), Cancellation);
            foreach ((string file, string reason) in loader.Skipped)
                skipped[file] = reason;
            files.Add((split.Name, split.Samples.Count, split.Samples.Sum(sample => sample.Frames.Count)));
        }
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("folder", parsed.GetValue(_out));
                json.WriteStartArray("splits");
                foreach ((string split, int samples, int images) in files)
                {
                    json.WriteStartObject();
                    json.WriteString("name", split);
                    json.WriteNumber("samples", samples);
                    json.WriteNumber("pictures", images);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                json.WriteNumber("skipped", skipped.Count);
                SkippedPictures.Write(json, skipped);
                json.WriteEndObject();
            });
        else
            foreach ((string split, int samples, int images) in files)
                Terminal.Out.WriteLine($"{split}: {images} pictures of {samples} samples in {parsed.GetValue(_out)}");
        SkippedPictures.Say(Terminal, skipped);
        return ExitCode.Done;
    }

    private sealed class Teller(Terminal terminal, string split) : IProgress<double>
    {
        private int _told;

        public void Report(double value)
        {
            const int Steps = 20;
            int step = (int)(value * Steps);
            if (step == _told)
                return;
            _told = step;
            terminal.Say(Format.Invariant($"{split}: {100 * value:F0} %"));
        }
    }
}
