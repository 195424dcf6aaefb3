using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Diagnostics;

/// <summary>The shapes at which a device is measured.</summary>
public sealed record BenchmarkSizes
{
    /// <summary>Attention at one shape.</summary>
    /// <param name="Samples">Images or prompts.</param>
    /// <param name="Tokens">Number of tokens of each.</param>
    /// <param name="Width">Width of the model.</param>
    /// <param name="Heads">That the width is divided among.</param>
    /// <param name="Causal">Whether a token sees only those before it.</param>
    public readonly record struct AttentionShape(int Samples, int Tokens, int Width, int Heads, bool Causal);

    /// <summary>A convolution of a ResNet; its padding keeps the size.</summary>
    /// <param name="Images">Number of images.</param>
    /// <param name="Side">Rows and columns of each.</param>
    /// <param name="Channels">Channels of the input.</param>
    /// <param name="Features">Channels of the result.</param>
    /// <param name="Kernel">Rows and columns of the kernel.</param>
    public readonly record struct ConvolutionShape(int Images, int Side, int Channels, int Features, int Kernel)
    {
        internal SlidingWindow Window =>
            SlidingWindow.Padded(new(Images, Side, Side, Channels), Kernel, stride: 1, padding: Kernel / 2);
    }

    /// <summary>A whole model.</summary>
    /// <param name="Name">Such as ViT-B/16.</param>
    /// <param name="Config">Its shape.</param>
    /// <param name="Forward">Batches of the forward pass.</param>
    /// <param name="Samples">Batch of the training steps.</param>
    /// <param name="Frames">Images of a sample.</param>
    public sealed record ModelShape(string Name, ClipConfig Config, int[] Forward, int Samples, int Frames = 1)
    {
        /// <summary>The training batch in words.</summary>
        public string Batch => Frames == 1 ? $"batch {Samples}" : $"batch {Samples} of {Frames} frames";
    }

    /// <summary>Sizes for a CPU: an image, a clip of a few frames, and small batches.</summary>
    public static BenchmarkSizes Host { get; } = new()
    {
        MatMulRows = [50, 197, 800, 1576],
        FusedRows = [800],
        NormRows = [800, 1576],
        ElementRows = 1576,
        TokenSamples = 8,
        Attentions = [new(16, 50, 768, 12, false), new(8, 197, 768, 12, false), new(35, 77, 512, 8, true),
        new(35, 11, 512, 8, true)],
        Convolutions = [new(64, 48, 16, 16, 3), new(64, 48, 16, 32, 3), new(64, 24, 32, 32, 3), new(64, 12, 64, 64, 3),
            new(64, 6, 128, 128, 3), new(64, 3, 256, 256, 3), new(64, 24, 32, 128, 1),
            new(64, 12, 256, 64, 1), new(64, 6, 128, 512, 1), new(8, 56, 64, 64, 3),
            new(8, 14, 256, 256, 3), new(8, 28, 512, 128, 1)],
        Models = [new("ViT-B/32", Vit(32), [1, 16], 8), new("ViT-B/16", Vit(16), [1, 8], 4),
            new("RN50", Rn50(), [1, 8], 4)],
    };

    /// <summary>Sizes for a GPU: ViT-B/16 with 128 images and ViT-B/32 with 48 clips of 16 frames, as CLIPER is
    /// trained.</summary>
    public static BenchmarkSizes Gpu { get; } = new()
    {
        MatMulRows = [25_216, 38_400],
        FusedRows = [25_216, 38_400],
        NormRows = [25_216, 38_400],
        ElementRows = 25_216,
        TokenSamples = 128,
        Attentions = [new(128, 197, 768, 12, false), new(768, 50, 768, 12, false), new(35, 77, 512, 8, true),
        new(35, 11, 512, 8, true)],
        Convolutions = [new(128, 56, 64, 64, 3), new(128, 28, 128, 128, 3), new(128, 14, 256, 256, 3),
            new(128, 7, 512, 512, 3), new(128, 56, 64, 256, 1), new(128, 14, 1024, 256, 1)],
        Models = [new("ViT-B/16", Vit(16), [1, 128], 128), new("ViT-B/32", Vit(32), [1, 768], 48, 16)],
    };

    /// <summary>The emulated device's: the smallest, called as seldom as may be.</summary>
    public static BenchmarkSizes Emulated { get; } = new()
    {
        MatMulRows = [10],
        FusedRows = [10],
        NormRows = [10],
        ElementRows = 10,
        TokenSamples = 2,
        Attentions = [new(2, 5, 32, 2, false), new(2, 11, 32, 2, true)],
        Convolutions = [new(1, 4, 8, 8, 3)],
        Models =
        [
            new("ViT-micro/16", new ClipConfig
            {
                ImageSize = 32,
                PatchSize = 16,
                VisionWidth = 32,
                VisionLayers = 1,
                VisionHeads = 2,
                TextWidth = 32,
                TextLayers = 1,
                TextHeads = 2,
                VocabularySize = 128,
                ContextLength = 16,
                EmbedSize = 16,
            }, [1], 2),
        ],
        Width = 32,
        TextWidth = 32,
        Embed = 16,
        ImageSize = 32,
        Vocabulary = 128,
        OperationSeconds = 0,
        ModelSeconds = 0,
    };

    /// <summary>Those for a kind of device.</summary>
    public static BenchmarkSizes For(Device device) => device switch
    {
        EmulatedDevice => Emulated,
        GpuDevice => Gpu,
        _ => Host,
    };

    /// <summary>Rows, samples times tokens, of the linear layers.</summary>
    public required int[] MatMulRows { get; init; }

    /// <summary>Rows of those with fused activation, and of their gradients.</summary>
    public required int[] FusedRows { get; init; }

    /// <summary>Rows of what works on rows.</summary>
    public required int[] NormRows { get; init; }

    /// <summary>Rows, of the hidden layer's width, of what works on elements.</summary>
    public required int ElementRows { get; init; }

    /// <summary>Samples of what moves tokens.</summary>
    public required int TokenSamples { get; init; }

    /// <summary>Shapes of attention.</summary>
    public required AttentionShape[] Attentions { get; init; }

    /// <summary>Shapes of convolutions, whose results are also what is normalized over the batch.</summary>
    public ConvolutionShape[] Convolutions { get; init; } = [];

    /// <summary>Whole models.</summary>
    public required ModelShape[] Models { get; init; }

    /// <summary>Width of the image tower.</summary>
    public int Width { get; init; } = 768;

    /// <summary>Width of the text tower.</summary>
    public int TextWidth { get; init; } = 512;

    /// <summary>Width of the features.</summary>
    public int Embed { get; init; } = 512;

    /// <summary>Side of an image.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Side of its patches.</summary>
    public int PatchSize { get; init; } = 16;

    /// <summary>Patches of an image.</summary>
    public int Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    /// <summary>Tokens that the text tower knows.</summary>
    public int Vocabulary { get; init; } = 49_408;

    /// <summary>Width of the hidden layer.</summary>
    public int Hidden => 4 * Width;

    /// <summary>Seconds for an operation, after warming up.</summary>
    public double OperationSeconds { get; init; } = 0.2;

    /// <summary>Seconds for a whole model.</summary>
    public double ModelSeconds { get; init; } = 3;

    private static ClipConfig Vit(int patch) => new()
    {
        ImageSize = 224,
        PatchSize = patch,
        VisionWidth = 768,
        VisionLayers = 12,
        VisionHeads = 12,
        TextWidth = 512,
        TextLayers = 12,
        TextHeads = 8,
        VocabularySize = 49_408,
        EmbedSize = 512,
    };

    // OpenAI's, with a text tower of the same sizes as ViT-B's.
    private static ClipConfig Rn50() => Vit(1) with
    {
        PatchSize = 0,
        VisionWidth = 64,
        VisionLayers = 0,
        VisionHeads = 32,
        ResNetBlocks = new StageBlocks(3, 4, 6, 3),
        EmbedSize = 1024,
    };
}
