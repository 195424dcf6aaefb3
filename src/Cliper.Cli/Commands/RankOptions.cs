using System.CommandLine;
using System.Globalization;
using System.Text;
using Cliper.Kernels.Collectives;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>The options of work that several processes do together, under the launcher that has started them.</summary>
internal sealed class RankOptions
{
    private const string Auto = "auto", Off = "off";
    private const int UsualPatience = 600;

    private readonly Option<string> _ranks = new("--ranks")
    {
        Description =
            "Whether the processes of mpirun or srun train together: auto (as the launcher's variables say), or off.",
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

    /// <summary>The ranks of this process, joined; one alone where no launcher has started several.</summary>
    /// <exception cref="SettingsException">A value is none.</exception>
    /// <exception cref="CollectiveException">The launcher's variables contradict each other, or there is no MPI
    /// library.</exception>
    public RankGroup Join(ParseResult parsed)
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
            return parsed.CommandResult.Command is RunCommand && parsed.GetValue<string>("--ranks") != Off
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
    /// <param name="settings">Settings of the run.</param>
    /// <exception cref="CollectiveException">Version, settings or instruction set differ.</exception>
    /// <exception cref="SettingsException">The device is no processor.</exception>
    public static void CheckSame(RankGroup ranks, Device device, TrainSettings settings)
    {
        if (ranks.Size == 1)
            return;
        if (device is not CpuDevice host)
            throw new SettingsException("several ranks train on processors only, in this version: use --device cpu");
        string[] mine = [Provenance.Version, host.Level.ToString(), SettingsJson.Write(settings)];
        string[] names = ["version of the program", "instruction set", "settings"];
        for (int i = 0; i < mine.Length; i++)
        {
            byte[] first = ranks.Broadcast(Encoding.UTF8.GetBytes(mine[i]));
            bool differs = Encoding.UTF8.GetString(first) != mine[i];
            if (ranks.Gather<byte>([(byte)(differs ? 1 : 0)], out _) is var all && Array.IndexOf(all, (byte)1) is > 0 and
                int rank)
                throw new CollectiveException(CollectiveFailure.Mixed, string.Create(CultureInfo.InvariantCulture,
                    $"rank {rank} has another {names[i]} than rank 0: all of them must be the same"));
        }
    }
}
