using System.Reflection;
using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Server;

namespace Cliper.Cli.Tests;

/// <summary>
/// Holds what each source project promises to others. A change of a public type or member shows as a change of an
/// approved file, which reviewers read.
/// </summary>
public sealed class PublicSurfaceTests
{
    private static readonly Assembly[] Assemblies =
        [typeof(Device).Assembly, typeof(Tape).Assembly, typeof(ClipModel).Assembly,
            typeof(ServerHost).Assembly, typeof(Application).Assembly];

    [TestCaseSource(nameof(Assemblies))]
    public void PublicSurface_OfAnAssembly_IsTheApprovedOne(Assembly assembly) =>
        Snapshot.Matches($"public-surface/{assembly.GetName().Name}.txt", PublicSurface.Of(assembly));
}
