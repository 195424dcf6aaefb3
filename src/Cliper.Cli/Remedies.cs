using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Stages;

namespace Cliper.Cli;

/// <summary>
/// The way out of each failure, in the names of the command line's options. The libraries state facts and know no
/// options.
/// </summary>
internal static class Remedies
{
    private const string OnCpu = "use --device cpu", MoreReserved = "--gpu-memory reserves more";

    /// <summary>The message of a failure, followed by its remedy if it has one.</summary>
    /// <param name="failure">The failure.</param>
    /// <param name="trains">Whether the command trains, so that its batches can be made smaller.</param>
    public static string Explain(Exception failure, bool trains = false) => Join(failure.Message, failure switch
    {
        DeviceException { Failure: DeviceFailure.OutOfMemory } when !trains => MoreReserved,
        DeviceException device => For(device.Failure),
        DivergedException diverged => (diverged.HasCheckpoint ? "go on from there with --resume"
            : "begin again with --overwrite") + $" and a lower rate: --set {diverged.Stage.Name()}.learningRate=RATE",
        CollectiveException { Failure: CollectiveFailure.Environment } =>
            "start the processes with one launcher, or work in one process with --ranks off",
        CollectiveException { Failure: CollectiveFailure.Library } =>
            "--mpi names another library, --ranks off needs none",
        SettingsException settings => For(settings.Remedy),
        InputException input => For(input.Remedy),
        _ => null,
    });

    /// <summary>The text of a message, followed by its remedy if it has one.</summary>
    public static string Explain(MessageEvent message) => Join(message.Text, For(message.Remedy));

    // A fact that has a colon of its own gets a semicolon, so that a line does not read "a: b: c".
    private static string Join(string fact, string? remedy) => remedy is null ? fact
        : fact + (fact.Contains(": ", StringComparison.Ordinal) ? "; " : ": ") + remedy;

    private static string? For(DeviceFailure failure) => failure switch
    {
        DeviceFailure.NoDriver => $"install one, or {OnCpu}",
        DeviceFailure.DriverTooOld => $"install one, or {OnCpu}",
        DeviceFailure.NoDevice or DeviceFailure.DriverNotReady or DeviceFailure.CapabilityTooLow
            or DeviceFailure.KernelUnsupported => OnCpu,
        DeviceFailure.NoSuchDevice => "choose one with --device cuda:N",
        DeviceFailure.Busy => "choose another GPU with --device cuda:N, or use --device cpu",
        DeviceFailure.BFloat16Unsupported => "use --precision fp16",
        DeviceFailure.CpuBFloat16Unsupported => "use --precision fp32",
        DeviceFailure.ReservationTooLarge => "lower --gpu-memory, or end what else uses the GPU",
        DeviceFailure.ReservationTooSmall => "raise --gpu-memory",
        DeviceFailure.TooLittleMemory => "end what else uses the GPU",
        DeviceFailure.OutOfMemory =>
            $"a smaller batch, more accumulated micro-batches or recomputed blocks need less, {MoreReserved}",
        DeviceFailure.DriverOutOfMemory => "lower --gpu-memory, beside which the driver needs some memory of its own",
        DeviceFailure.KernelRefused => $"a newer driver may take it, or {OnCpu}",
        DeviceFailure.Stopped =>
        "the run has to start again from its last checkpoint; if it happens again, please report "
            + "it with what CLIPER_CUDA_SYNC=1 says, which names the kernel",
        DeviceFailure.DriverCallFailed => null,
        _ => throw new ArgumentOutOfRangeException(nameof(failure), failure, null),
    };

    private static string? For(Remedy remedy) => remedy switch
    {
        Remedy.None => null,
        Remedy.GiveCheckpoint => "give a file from a run's checkpoints/ folder; CLIP weights go to --weights",
        Remedy.ExtractOneClip => "write the one that is meant to a file of its own with weights convert --prefix",
        Remedy.ChooseOtherPrefix => "choose another --prefix",
        Remedy.GiveWeights => "give CLIP weights with --weights, or a recipe that pre-trains",
        Remedy.TakeClipOfCheckpoint => "take its CLIP with --weights",
        Remedy.BeginFromModel => "to train further begin a run with --init",
        Remedy.KeepSetting => "leave it as it was, or begin a new run with --out",
        Remedy.KeepSettingsOrBeginFromModel =>
            "leave them as they were, or begin a new run with --out, from this one's model with --init",
        Remedy.GiveRunFolder => "expected the folder that 'cliper-gpu train --out' wrote",
        Remedy.RestartRun => "start it again, with --out and --overwrite",
        Remedy.StartFromRun => "--init names such a run",
        Remedy.GiveData => "name its folder or file with --data",
        Remedy.GiveOneFold => "give --fold N",
        Remedy.GiveFirstFold => "give --fold 1",
        Remedy.ResumeRun => "go on with 'cliper-gpu train --resume' and this folder",
        Remedy.ResumeAsPretraining => "go on with 'cliper-gpu pretrain --resume', or begin a training from its weights "
            + "with --weights",
        Remedy.ResumeAsTraining => "go on with 'cliper-gpu train --resume'",
        Remedy.ResumeOrAllowUnfinished => "go on with 'cliper-gpu train --resume' and the run's folder, or take the "
            + "answer as it is with --allow-unfinished",
        Remedy.AllowMemory => "allow more with --memory",
        Remedy.StateFacts => "--activation, --heads, --mean and --std state them",
        Remedy.GiveFrames => "without it, give folders of frames with --clips",
        _ => throw new ArgumentOutOfRangeException(nameof(remedy), remedy, null),
    };
}
