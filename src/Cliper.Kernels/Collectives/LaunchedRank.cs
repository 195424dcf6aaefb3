using System.Globalization;

namespace Cliper.Kernels.Collectives;

/// <summary>The place of a process among those that a launcher has started, by environment variables.</summary>
/// <param name="Launcher">The launcher by name, for messages.</param>
/// <param name="Rank">Number of the process, from 0.</param>
/// <param name="Size">Number of processes.</param>
/// <param name="LocalRank">Number of the process on its machine, from 0.</param>
/// <param name="LocalSize">Number of processes on its machine.</param>
/// <param name="StartsMpi">Whether a process that it starts can reach the others by MPI.</param>
public sealed record LaunchedRank(string Launcher, int Rank, int Size, int LocalRank, int LocalSize, bool StartsMpi)
{
    // In the order in which they are asked. The size under Slurm is that of the step, which srun alone sets: under
    // sbatch without srun there is one process, whatever SLURM_NTASKS says.
    private static readonly Names[] Launchers =
    [
        new("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", StartsMpi: false),
        new("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
            "OMPI_COMM_WORLD_LOCAL_SIZE", StartsMpi: true),
        new("PMI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", StartsMpi: true),
        new("srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE",
            StartsMpi: true),
    ];

    /// <summary>The place that the environment tells; null where no launcher has started the process.</summary>
    /// <param name="variable">Gives an environment variable; null for one that is not set.</param>
    /// <exception cref="CollectiveException">A launcher's variables are set in part, are no numbers, or contradict each
    /// other.</exception>
    public static LaunchedRank? Find(Func<string, string?> variable)
    {
        foreach (Names names in Launchers)
        {
            string? rank = variable(names.Rank), size = variable(names.Size);
            if (size is null && (rank is null || names.Rank == "SLURM_PROCID"))
                continue;
            if (rank is null || size is null)
            {
                (string set, string missing) = rank is null ? (names.Size, names.Rank) : (names.Rank, names.Size);
                throw Contradiction($"{set} is set and {missing} is not; {names.Launcher} sets both");
            }
            int number = Number(names.Rank, rank), count = Number(names.Size, size);
            int local = variable(names.LocalRank) is { } localText ? Number(names.LocalRank, localText) : number;
            int localCount = names.LocalSize != "SLURM_STEP_TASKS_PER_NODE"
                && variable(names.LocalSize) is { } localSize ? Number(names.LocalSize, localSize) : count;
            if (count < 1 || number >= count || localCount > count || local >= localCount)
                throw Contradiction($"{names.Rank}={number} and {names.Size}={count} contradict each other "
                    + $"(rank {local} of {localCount} on this machine)");
            return new LaunchedRank(names.Launcher, number, count, local, localCount, names.StartsMpi);
        }
        return null;
    }

    private static int Number(string name, string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
            : throw Contradiction($"{name} is '{text}', which is no number from 0");

    private static CollectiveException Contradiction(string message) => new(CollectiveFailure.Environment, message);

    private readonly record struct Names(string Launcher, string Rank, string Size, string LocalRank, string LocalSize,
        bool StartsMpi);
}
