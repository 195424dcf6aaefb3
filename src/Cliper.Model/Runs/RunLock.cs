using System.Globalization;
using System.Text;
using Cliper.Model.IO;

namespace Cliper.Model.Runs;

/// <summary>
/// Holds a run's folder for one program: a file that the operating system keeps locked (flock, or a sharing mode on
/// Windows) and frees when the program ends, however it ends. The file names process and host for whoever is refused.
/// </summary>
internal sealed class RunLock : IDisposable
{
    /// <summary>Name of the file.</summary>
    public const string FileName = RunMark.Lock;

    // EWOULDBLOCK of Linux and of macOS, and the sharing violation of Windows.
    private static readonly int[] Taken = [11, 35, 32];

    private readonly string _folder;
    private readonly bool _isNew;
    private readonly FileStream _file;

    private RunLock(string folder, bool isNew, FileStream file) => (_folder, _isNew, _file) = (folder, isNew, file);

    /// <summary>Takes a folder.</summary>
    /// <param name="folder">The folder; made when missing.</param>
    /// <exception cref="RunInUseException">Another program has it.</exception>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public static RunLock Take(string folder)
    {
        bool isNew = !Directory.Exists(folder);
        string path = Path.Combine(folder, FileName);
        byte[] owner = Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"process {Environment.ProcessId} on {Environment.MachineName}, {Guid.NewGuid():N}"));
        try
        {
            Directory.CreateDirectory(folder);
            while (true)
            {
                FileStream file = Open(path);
                try
                {
                    file.SetLength(0);
                    file.Write(owner);
                    file.Flush(flushToDisk: true);
                }
                catch
                {
                    new RunLock(folder, isNew, file).Dispose();
                    throw;
                }
                // The one who had it before may have removed the file after it was opened here, and a third may have
                // made another since: a lock on a file without a name holds nobody off.
                if (UnixFile.ReadLocked(path) is { } now && now.AsSpan().SequenceEqual(owner))
                    return new RunLock(folder, isNew, file);
                file.Dispose();
            }
        }
        catch (IOException failure) when (Taken.Contains(failure.HResult & 0xFFFF) && File.Exists(path))
        {
            throw new RunInUseException($"{folder}: {OwnerOf(path)} works in this folder; wait for its end, or choose "
                + "another folder", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{folder}: cannot be written: {failure.Message.TrimEnd('.')}; choose a folder with "
                + "room that you may write to", failure);
        }
    }

    /// <summary>Gives the folder free, and removes it if it was made for nothing.</summary>
    public void Dispose()
    {
        string path = Path.Combine(_folder, FileName);
        try
        {
            // Unix removes it while it is still held, so that nobody can take it in between; Windows refuses that.
            if (!OperatingSystem.IsWindows())
                File.Delete(path);
            _file.Dispose();
            if (OperatingSystem.IsWindows())
                File.Delete(path);
            if (_isNew && !Directory.EnumerateFileSystemEntries(_folder).Any())
                Directory.Delete(_folder);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // A file that stays behind holds nobody off: its lock is gone.
            _file.Dispose();
        }
    }

    // Windows knows a sharing mode that lets others read what the file says. Without a buffer a write that fails is not
    // tried again when the file is closed.
    private static FileStream Open(string path) => new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite,
        OperatingSystem.IsWindows() ? FileShare.Read : FileShare.None, bufferSize: 0);

    private static string OwnerOf(string path)
    {
        string text = UnixFile.ReadLocked(path) is { } content ? Encoding.UTF8.GetString(content) : "";
        int end = text.LastIndexOf(',');
        return end > 0 ? text[..end] : "another process";
    }
}

/// <summary>Holds several folders.</summary>
internal sealed class RunLocks : IDisposable
{
    private readonly List<RunLock> _held = [];

    /// <summary>Takes folders.</summary>
    /// <param name="folders">The folders.</param>
    /// <exception cref="RunInUseException">Another program has one of them; none is held.</exception>
    /// <exception cref="IOException">A folder cannot be written to.</exception>
    public RunLocks(IEnumerable<string> folders)
    {
        try
        {
            foreach (string folder in folders)
                _held.Add(RunLock.Take(folder));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Gives the folders free.</summary>
    public void Dispose()
    {
        foreach (RunLock held in _held)
            held.Dispose();
        _held.Clear();
    }
}
