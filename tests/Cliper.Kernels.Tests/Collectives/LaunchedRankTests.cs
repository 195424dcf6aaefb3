using Cliper.Kernels.Collectives;

namespace Cliper.Kernels.Tests.Collectives;

public sealed class LaunchedRankTests
{
    [TestCase("RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2", "torchrun", 3, 4, 1, 2)]
    [TestCase("OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=0 OMPI_COMM_WORLD_LOCAL_SIZE=1",
        "Open MPI", 1, 2, 0, 1)]
    [TestCase("PMI_RANK=0 PMI_SIZE=2 MPI_LOCALRANKID=0 MPI_LOCALNRANKS=2", "PMI", 0, 2, 0, 2)]
    [TestCase("SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=3 SLURM_LOCALID=2 SLURM_NTASKS=8", "srun", 2, 3, 2, 3)]
    [TestCase("RANK=0 WORLD_SIZE=1 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", "torchrun", 0, 1, 0, 1,
        Description = "the first launcher in the order of the list is the one that started the process")]
    public void ALaunchersVariables_AreTheRank(string environment, string launcher, int rank, int size, int local,
        int localSize)
    {
        LaunchedRank found = Find(environment)!;

        Assert.That((found.Launcher, found.Rank, found.Size, found.LocalRank, found.LocalSize),
            Is.EqualTo((launcher, rank, size, local, localSize)));
    }

    [TestCase("")]
    [TestCase("SLURM_PROCID=0 SLURM_NTASKS=8", Description = "sbatch without srun starts one process")]
    public void WithoutALauncher_ThereIsNone(string environment) => Assert.That(Find(environment), Is.Null);

    [TestCase("RANK=0", "RANK is set and WORLD_SIZE is not")]
    [TestCase("WORLD_SIZE=2", "WORLD_SIZE is set and RANK is not")]
    [TestCase("RANK=2 WORLD_SIZE=2", "RANK=2 and WORLD_SIZE=2 contradict each other")]
    [TestCase("RANK=0 WORLD_SIZE=2 LOCAL_WORLD_SIZE=3", "contradict each other")]
    [TestCase("PMI_RANK=x PMI_SIZE=2", "PMI_RANK is 'x'")]
    [TestCase("OMPI_COMM_WORLD_RANK=-1 OMPI_COMM_WORLD_SIZE=2", "OMPI_COMM_WORLD_RANK is '-1'")]
    public void ContradictoryVariables_AreAnError(string environment, string message) =>
        Assert.That(() => Find(environment), Throws.TypeOf<CollectiveException>().With.Message.Contain(message)
            .And.Property(nameof(CollectiveException.Failure)).EqualTo(CollectiveFailure.Environment));

    [Test]
    public void WithoutItsLibrary_ALauncherSaysWhichPackageHasIt() => Assert.That(
        () => MpiGroup.Join(new LaunchedRank("PMI", 0, 2, 0, 2, StartsMpi: true), "/no/such/libmpich.so.12",
            TimeSpan.FromSeconds(1)),
        Throws.TypeOf<CollectiveException>().With.Message.Contain("/no/such/libmpich.so.12: no such library"));

    [Test]
    public void AProcessOfTorchrun_HasNoMpi() => Assert.That(
        () => MpiGroup.Join(new LaunchedRank("torchrun", 0, 2, 0, 2, StartsMpi: false), null, TimeSpan.FromSeconds(1)),
        Throws.TypeOf<CollectiveException>().With.Message.Contain("mpirun or srun"));

    private static LaunchedRank? Find(string environment)
    {
        Dictionary<string, string> variables = environment.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        return LaunchedRank.Find(variables.GetValueOrDefault);
    }
}
