using System.CommandLine;
using System.Globalization;
using System.Text;
using Cliper.Kernels.Collectives;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Runs;

namespace Cliper.Cli.Commands;

/// <summary>The options of work that several processes do together, under the launcher that has started them.</summary>
internal sealed class RankOptions
{
    private const string Name = "--ranks", Auto = "auto", Off = "off";
    private const int UsualPatience = 600;

    // Rank 0 ends the others as soon as its checkpoint is written; they end by themselves if it is gone.
    private static readonly TimeSpan TimeOfCheckpoint = TimeSpan.FromMinutes(2),
        TimeOfRankZero = TimeSpan.FromSeconds(2);

    private readonly Option<string> _ranks = new(Name)
    {
        Description =
            "Whether the processes of mpirun or srun work together: auto (as the launcher's variables say), or off.",
        HelpName = "auto|off",
        DefaultValueFactory = _ => Auto,
    };

    private readonly Option<string?> _mpi = new("--mpi")
    {
        Description = "The MPI library between the ranks: openmpi, mpich, abi (MPI 5's) or a file; without it the "
            + "launcher's own.",
        HelpName = "NAME|FILE",
    };

    private readonly Option<int> _timeout = new("--rank-timeout")
    {
        Description = "Seconds after which a rank that does not answer counts as lost.",
        HelpName = "SECONDS",
        DefaultValueFactory = _ => UsualPatience,
    };

    /// <summary>All of them, to be added to a command.</summary>
    public IReadOnlyList<Option> All => [_ranks, _mpi, _timeout];

    /// <summary>
    /// Does work on the ranks that a launcher has started, or alone. Where it fails, all ranks end: the others may be
    /// waiting for this one, and would never learn of it.
    /// </summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="terminal">Made silent on every rank but 0.</param>
    /// <param name="work">The work; gives the exit code.</param>
    /// <exception cref="SettingsException">A value is none.</exception>
    /// <exception cref="CollectiveException">The launcher's variables contradict each other, or there is no MPI
    /// library.</exception>
    public int Run(ParseResult parsed, Terminal terminal, Func<RankGroup, int> work)
    {
        terminal.Rank = RankOf(parsed);
        RankGroup ranks = Join(parsed);
        if (ranks.Size == 1)
            return work(ranks);
        terminal.Say($"{ranks.Size} ranks work together ({ranks.Transport})");
        try
        {
            int code = work(ranks);
            ranks.Dispose();
            return code;
        }
        catch (Exception failure)
        {
            End(ranks, terminal, ExitCode.Unwrap(failure), parsed.CommandResult.Command is RunCommand);
            throw;
        }
    }

    // A failure that all of them meet is told by rank 0.
    private static void End(RankGroup ranks, Terminal terminal, Exception failure, bool trains)
    {
        if (!ranks.IsFirst)
            Thread.Sleep(failure is OperationCanceledException ? TimeOfCheckpoint : TimeOfRankZero);
        terminal.SayOfRank($"cliper-gpu: {ExitCode.Message(failure, trains)}");
        if (terminal.Verbose)
            terminal.SayOfRank(failure.ToString());
        ranks.Abort(ExitCode.Of(failure));
        Environment.Exit(ExitCode.Of(failure));
    }

    private RankGroup Join(ParseResult parsed)
    {
        string ranks = parsed.GetValue(_ranks)!;
        if (ranks is not (Auto or Off))
            throw new SettingsException($"--ranks is '{ranks}'; there are {Auto}, {Off}");
        int patience = parsed.GetValue(_timeout);
        if (patience < 1)
            throw new SettingsException($"--rank-timeout is {patience}; it must be at least 1");
        return ranks == Auto && LaunchedRank.Find(Environment.GetEnvironmentVariable) is { Size: > 1 } launched
            ? MpiGroup.Join(launched, parsed.GetValue(_mpi), TimeSpan.FromSeconds(patience)) : RankGroup.Alone;
    }

    /// <summary>Number of this process among those that a launcher has started for a command that works on several
    /// ranks; 0 where it works alone, or nothing is known.</summary>
    public static int RankOf(ParseResult parsed)
    {
        try
        {
            return parsed.CommandResult.Command.Options.Any(option => option.Name == Name)
                && parsed.GetValue<string>(Name) != Off
                ? LaunchedRank.Find(Environment.GetEnvironmentVariable)?.Rank ?? 0 : 0;
        }
        catch (Exception failure) when (failure is CollectiveException or InvalidOperationException)
        {
            return 0;
        }
    }

    /// <summary>Threads of an operation where none are asked for: this process's share of the cores.</summary>
    /// <param name="ranks">The ranks.</param>
    public static int ThreadsOf(RankGroup ranks)
    {
        if (ranks.Size == 1)
            return 0;
        int local = LaunchedRank.Find(Environment.GetEnvironmentVariable)?.LocalSize ?? 1;
        // A launcher that binds its processes to cores has divided them already.
        return Environment.ProcessorCount < Machine.Cores ? Environment.ProcessorCount
            : Math.Max(1, Environment.ProcessorCount / local);
    }

    /// <summary>Refuses ranks that would compute something else than the others.</summary>
    /// <param name="ranks">The ranks, which all call this.</param>
    /// <param name="device">This rank's device.</param>
    /// <param name="work">The work as text, such as the settings of a run.</param>
    /// <exception cref="CollectiveException">Version, settings or instruction set differ.</exception>
    /// <exception cref="SettingsException">The device is no processor.</exception>
    public static void CheckSame(RankGroup ranks, Device device, string work)
    {
        if (ranks.Size == 1)
            return;
        if (device is not CpuDevice host)
            throw new SettingsException("several ranks work on processors only, in this version: use --device cpu");
        string[] mine = [Provenance.Version, $"{host.Level} {host.Operands}", work];
        string[] names = ["version of the program", "instruction set", "work to do"];
        for (int i = 0; i < mine.Length; i++)
        {
            byte[] first = ranks.Broadcast(Encoding.UTF8.GetBytes(mine[i]));
            bool differs = Encoding.UTF8.GetString(first) != mine[i];
            var all = new byte[ranks.Size];
            ranks.GatherEqual<byte>([(byte)(differs ? 1 : 0)], all);
            if (Array.IndexOf(all, (byte)1) is > 0 and int rank)
                throw new CollectiveException(CollectiveFailure.Mixed, string.Create(CultureInfo.InvariantCulture,
                    $"rank {rank} has another {names[i]} than rank 0: all of them must be the same"));
        }
    }
}
