using System.Diagnostics;
using Cliper.Model.IO;
using FFMpegCore;
using FFMpegCore.Exceptions;

namespace Cliper.Model.Video;

/// <summary>
/// Runs the programs ffmpeg and ffprobe. FFMpegCore reads the output of ffprobe. Images go through ffmpeg's own
/// standard input and output: FFMpegCore's pipes end with an error when they are left early.
/// </summary>
internal static class Ffmpeg
{
    /// <summary>Enough lines of complaint to tell what is wrong; a damaged hour of video makes millions.</summary>
    private const int MostComplaints = 20;

    private static readonly string[] Programs = ["ffmpeg", "ffprobe"];

    /// <summary>Throws unless both programs can be started.</summary>
    /// <exception cref="InputException">One is missing.</exception>
    public static void Require()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (Programs.FirstOrDefault(program => !folders.Any(folder => Has(folder, program))) is { } missing)
            throw new InputException(
                $"{missing} was not found: videos are decoded by ffmpeg; install it (Debian, Ubuntu: apt-get install "
                + "ffmpeg)")
            { Remedy = Remedy.GiveFrames };
    }

    /// <summary>Analyzes a video with ffprobe.</summary>
    /// <exception cref="InputException">It is no video, or damaged beyond recognition.</exception>
    public static IMediaAnalysis Probe(string path)
    {
        Require();
        if (path.Contains('"'))
            throw new InputException(
                $"{path}: the name has a quotation mark, which cannot be passed to ffprobe; rename the file");
        try
        {
            return FFProbe.Analyse(Path.GetFullPath(path));
        }
        catch (FFMpegException failure)
        {
            string reason = failure is FFProbeProcessException { StandardError: [.., var last] } ? last
                : failure.Message;
            throw new InputException(
                $"{path}: not a video that ffmpeg can read ({ForeignText.Short(reason)}); replace or remove it",
                failure);
        }
    }

    /// <summary>A running ffmpeg; disposing kills it.</summary>
    public sealed class Run : IDisposable
    {
        private readonly Process _process;
        private readonly List<string> _complaints = [];

        /// <summary>Starts ffmpeg.</summary>
        /// <param name="arguments">Its arguments, paths as <see cref="Path.GetFullPath(string)"/> gives them, so that
        /// no name can be taken for a protocol or an option.</param>
        public Run(IEnumerable<string> arguments)
        {
            Require();
            _process = new Process
            {
                StartInfo = new ProcessStartInfo("ffmpeg", ["-hide_banner", "-v", "error", "-y", .. arguments])
                {
                    RedirectStandardInput = true,
                    RedirectStandardOutput = true,
                    RedirectStandardError = true,
                },
            };
            _process.ErrorDataReceived += (_, line) =>
            {
                lock (_complaints)
                    if (_complaints.Count < MostComplaints && !string.IsNullOrWhiteSpace(line.Data))
                        _complaints.Add(line.Data.Trim());
            };
            _process.Start();
            _process.BeginErrorReadLine();
        }

        /// <summary>Standard input of ffmpeg.</summary>
        public Stream Input => _process.StandardInput.BaseStream;

        /// <summary>Standard output of ffmpeg.</summary>
        public Stream Output => _process.StandardOutput.BaseStream;

        /// <summary>Waits for its end.</summary>
        /// <returns>Whether it failed, and the first thing it complained about; null if it did not.</returns>
        public (bool Failed, string? Complaint) End()
        {
            _process.StandardInput.Close();
            _process.WaitForExit();
            lock (_complaints)
                return (_process.ExitCode != 0, _complaints.Count > 0 ? ForeignText.Short(_complaints[0]) : null);
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            try
            {
                _process.Kill();
                _process.WaitForExit();
            }
            catch (InvalidOperationException)
            {
                // It has ended by itself.
            }
            _process.Dispose();
        }
    }

    private static bool Has(string folder, string program) =>
        folder.Length > 0 && (File.Exists(Path.Combine(folder, program))
        || File.Exists(Path.Combine(folder, program + ".exe")));
}
