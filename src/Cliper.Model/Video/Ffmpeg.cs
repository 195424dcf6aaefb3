using System.Collections.Concurrent;
using System.Diagnostics;
using Cliper.Model.IO;

namespace Cliper.Model.Video;

/// <summary>
/// Runs the programs ffmpeg and ffprobe so that they read nothing but the file they are given: other files, networks,
/// and formats that name other files (playlists) are closed to them. They end when their work is canceled and when
/// this process exits; a process that is killed closes their pipes, which ends them too.
/// </summary>
public static class Ffmpeg
{
    /// <summary>Enough lines of complaint to tell what is wrong; a damaged hour of video makes millions.</summary>
    private const int MostComplaints = 20;

    /// <summary>Exit code of ffmpeg after a signal, and of a program that SIGINT ended.</summary>
    private const int EndedBySignal = 255, EndedByInterrupt = 130;

    private static readonly TimeSpan SignalDelay = TimeSpan.FromSeconds(1);

    // Decoders of H.264 and HEVC say so that a picture is missing which others refer to. After seeking to a key frame
    // with leading pictures it lies before that frame, and nothing is damaged.
    private static readonly string[] MissingReferences =
    [
        "mmco: unref short failure", "co located POCs unavailable", "reference picture missing during reorder",
        "Missing reference picture", "number of reference frames", "Could not find ref with POC",
        "Error constructing the frame RPS", "Last message repeated",
    ];

    private static readonly string[] Programs = ["ffmpeg", "ffprobe"];

    // Demuxers whose files hold their frames themselves. Those of playlists, lists and scripts (hls, dash, concat,
    // imf, sdp, avisynth) would open other files.
    private const string Demuxers = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,asf_o,flv,live_flv,kux,mpeg,mpegts,"
        + "mpegvideo,m4v,h264,hevc,vvc,h263,h261,vc1,vc1test,obu,av1,ivf,ogg,nut,dv,mxf,gxf,wtv,rm,mjpeg,"
        + "mjpeg_2000,jpeg_pipe,yuv4mpegpipe,dhav,nsv,pva,smjpeg,r3d,lvf,gif,apng";

    private static readonly ConcurrentDictionary<Process, byte> Running = new();

    static Ffmpeg() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (Process process in Running.Keys)
            Kill(process);
    };

    /// <summary>Arguments that make a file an input, and the only one it can lead to.</summary>
    /// <param name="path">The file.</param>
    internal static string[] Input(string path) =>
        ["-protocol_whitelist", "file,pipe", "-format_whitelist", Demuxers, "-i", $"file:{Path.GetFullPath(path)}"];

    /// <summary>Whole path of ffmpeg; null where it or ffprobe is not on the PATH.</summary>
    public static string? Location => Programs.All(program => Find(program) is not null) ? Find(Programs[0]) : null;

    /// <summary>The command that installs it on this system.</summary>
    public static string HowToInstall => OperatingSystem.IsWindows() ? "winget install Gyan.FFmpeg"
        : OperatingSystem.IsMacOS() ? "brew install ffmpeg" : "Debian, Ubuntu: apt-get install ffmpeg";

    /// <summary>Finds a program on the PATH, and throws unless the other one is there too. Started by its whole path,
    /// it is never a file of its name in the current folder, where .NET and Windows would look first.</summary>
    /// <param name="program">"ffmpeg" or "ffprobe".</param>
    /// <returns>Its whole path.</returns>
    /// <exception cref="InputException">One is missing.</exception>
    private static string Require(string program)
    {
        (string Name, string? Path)[] found = [.. Programs.Select(name => (name, Find(name)))];
        if (found.FirstOrDefault(one => one.Path is null).Name is { } missing)
            throw new InputException(
                $"{missing} was not found: videos are decoded by ffmpeg; install it ({HowToInstall})")
            { Remedy = Remedy.GiveFrames };
        return found.Single(one => one.Name == program).Path!;
    }

    /// <summary>Whole path of a program; null if it is not on the PATH. Folders of the PATH that are not absolute,
    /// which mean the current one, are left out.</summary>
    private static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Where(Path.IsPathFullyQualified)
            .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? program + ".exe" : program))
            .FirstOrDefault(IsProgram);

    /// <summary>Runs ffprobe to its end.</summary>
    /// <param name="path">The file that it looks at.</param>
    /// <param name="arguments">Further arguments.</param>
    /// <param name="limit">Time that it may take.</param>
    /// <param name="cancellation">Cancels it at once with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>Its standard output.</returns>
    /// <exception cref="InputException">It fails, or takes too long.</exception>
    internal static byte[] Probe(string path, IEnumerable<string> arguments, TimeSpan limit,
        CancellationToken cancellation)
    {
        using var timed = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timed.CancelAfter(limit);
        using var run = new Run("ffprobe", ["-v", "error", "-hide_banner", .. arguments, .. Input(path)], timed.Token);
        using var output = new MemoryStream();
        run.Output.CopyTo(output);
        (bool failed, string? complaint) = run.End(cancellation);
        cancellation.ThrowIfCancellationRequested();
        if (timed.IsCancellationRequested)
            throw new InputException(FormattableString.Invariant(
                $"{path}: ffprobe has not come to an end in {limit.TotalSeconds:F0} s; replace or remove the file"));
        return !failed ? output.ToArray() : throw new InputException(
            $"{path}: not a video that ffmpeg can read ({complaint ?? "no reason given"}); replace or remove it");
    }

    /// <summary>A running ffmpeg or ffprobe; disposing kills it.</summary>
    public sealed class Run : IDisposable
    {
        private readonly Process _process;
        private readonly List<string> _complaints = [];
        private readonly CancellationTokenRegistration _registration;

        /// <summary>Starts ffmpeg.</summary>
        /// <param name="arguments">Its arguments, inputs as <see cref="Input"/> gives them, so that no name can be
        /// taken for a protocol or an option.</param>
        /// <param name="cancellation">Kills it.</param>
        /// <param name="isSeeking">Whether it seeks, so that complaints of missing references do not count.</param>
        public Run(IEnumerable<string> arguments, CancellationToken cancellation, bool isSeeking = false)
            : this("ffmpeg", ["-hide_banner", "-v", "error", "-y", .. arguments], cancellation, isSeeking)
        {
        }

        /// <summary>Starts a program.</summary>
        internal Run(string program, IEnumerable<string> arguments, CancellationToken cancellation,
            bool isSeeking = false)
        {
            _process = new Process
            {
                StartInfo = new ProcessStartInfo(Require(program), arguments)
                {
                    RedirectStandardInput = true,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                },
            };
            _process.ErrorDataReceived += (_, line) =>
            {
                lock (_complaints)
                    if (_complaints.Count < MostComplaints && !string.IsNullOrWhiteSpace(line.Data)
                        && !(isSeeking && MissingReferences.Any(line.Data.Contains)))
                        _complaints.Add(line.Data.Trim());
            };
            _process.Start();
            Running.TryAdd(_process, 0);
            _process.BeginErrorReadLine();
            _registration = cancellation.Register(() => Kill(_process));
        }

        /// <summary>Standard input of the program.</summary>
        public Stream Input => _process.StandardInput.BaseStream;

        /// <summary>Standard output of the program.</summary>
        public Stream Output => _process.StandardOutput.BaseStream;

        /// <summary>Waits for its end.</summary>
        /// <param name="cancellation">Cancels the work with an <see cref="OperationCanceledException"/>.</param>
        /// <returns>Whether it failed, and the first thing it complained about; null if it did not.</returns>
        public (bool Failed, string? Complaint) End(CancellationToken cancellation)
        {
            _process.StandardInput.Close();
            _process.WaitForExit();
            // A Ctrl-C reaches the program as well, and perhaps before the token.
            if (_process.ExitCode is EndedBySignal or EndedByInterrupt)
                cancellation.WaitHandle.WaitOne(SignalDelay);
            cancellation.ThrowIfCancellationRequested();
            lock (_complaints)
                return (_process.ExitCode != 0, _complaints.Count > 0 ? ForeignText.Short(_complaints[0]) : null);
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            _registration.Dispose();
            Kill(_process);
            Running.TryRemove(_process, out _);
            _process.WaitForExit();
            _process.Dispose();
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
        catch (Exception failure) when (failure is InvalidOperationException or AggregateException
            or System.ComponentModel.Win32Exception)
        {
            // It has ended by itself.
        }
    }

    private static bool IsProgram(string path) => File.Exists(path) && (OperatingSystem.IsWindows()
        || (File.GetUnixFileMode(path)
            & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0);
}
