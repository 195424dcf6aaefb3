using System.Reflection;
using System.Text;
using Cliper.Kernels;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests;

/// <summary>
/// PTX on disk: what is found again, what is refused, and that a cache that does not work costs time alone.
/// </summary>
public sealed class PtxCacheTests
{
    private const string Build = "0123456789abcdef0123456789abcdef", OtherBuild = "f0000000000000000000000000000000";

    private static readonly GpuKernel[] Kernels = [.. KernelRegistry.All.Take(8)];

    private string _root = "";
    private int _compiled;

    [SetUp]
    public void MakeFolder()
    {
        _root = Directory.CreateTempSubdirectory("cliper-ptx").FullName;
        _compiled = 0;
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_root, recursive: true);

    private string Sub(string name) => Path.Combine(_root, name);

    private PtxFolder User(string build = Build) => new(Sub("user"), build);

    private PtxCache Start(PtxFolder? shipped = null, PtxFolder? user = null) => new(shipped, user ?? User(), kernel =>
    {
        Interlocked.Increment(ref _compiled);
        return TextOf(kernel);
    });

    // The text has some size, so that a file of it is written in more than one piece.
    private static string TextOf(GpuKernel kernel) =>
        string.Concat(Enumerable.Repeat($".visible .entry kernel() // {kernel.Name}\n", 1000));

    [Test]
    public void ASecondStartCompilesNothing()
    {
        PtxCache first = Start();
        foreach (GpuKernel kernel in Kernels)
            Assert.That(first.Get(kernel), Is.EqualTo(TextOf(kernel)), kernel.Name);
        Assert.That(_compiled, Is.EqualTo(Kernels.Length));

        PtxCache second = Start();
        foreach (GpuKernel kernel in Kernels)
            Assert.That(second.Get(kernel), Is.EqualTo(TextOf(kernel)), kernel.Name);
        Assert.That(_compiled, Is.EqualTo(Kernels.Length), "nothing more");
    }

    private static IEnumerable<TestCaseData> Damages
    {
        get
        {
            yield return Case("one bit of the PTX", file => [.. file[..^9], (byte)(file[^9] ^ 1), .. file[^8..]]);
            yield return Case("one bit of the header", file => [.. file[..20], (byte)(file[20] ^ 1), .. file[21..]]);
            yield return Case("a last byte that is missing", file => file[..^1]);
            yield return Case("a first half alone", file => file[..(file.Length / 2)]);
            yield return Case("one line more", file => [.. file, .. "ret;\n"u8]);
            yield return Case("nothing in it", _ => []);
            yield return Case("zeros, as after a crash", file => new byte[file.Length]);
            yield return Case("the PTX without its header", file => file[(file.AsSpan().IndexOf((byte)'\n') + 1)..]);
            yield return Case("bytes that are no text", _ => [0xff, 0xfe, 0xfd, 0x80, (byte)'\n', 0xc3]);

            static TestCaseData Case(string name, Func<byte[], byte[]> damage) =>
                new TestCaseData(damage).SetArgDisplayNames(name);
        }
    }

    [TestCaseSource(nameof(Damages))]
    public void ADamagedFileIsCompiledAgainAndReplaced(Func<byte[], byte[]> damage)
    {
        Start().Get(Kernels[0]);
        string file = User().FileOf(Kernels[0]);
        File.WriteAllBytes(file, damage(File.ReadAllBytes(file)));

        Assert.That(Start().Get(Kernels[0]), Is.EqualTo(TextOf(Kernels[0])));
        Assert.That(_compiled, Is.EqualTo(2), "compiled again");
        Start().Get(Kernels[0]);
        Assert.That(_compiled, Is.EqualTo(2), "replaced");
    }

    [Test]
    public void AnotherKernelsFileIsRefused()
    {
        Start().Get(Kernels[0]);
        File.Copy(User().FileOf(Kernels[0]), User().FileOf(Kernels[1]));

        Assert.That(Start().Get(Kernels[1]), Is.EqualTo(TextOf(Kernels[1])));
    }

    [Test]
    public void AnotherBuildsFilesAreRefusedWhereverTheyLie()
    {
        Start().Get(Kernels[0]);
        Start(user: User(OtherBuild)).Get(Kernels[0]);
        Assert.That(_compiled, Is.EqualTo(2), "a folder of its own");

        File.Copy(User().FileOf(Kernels[0]), User(OtherBuild).FileOf(Kernels[0]), overwrite: true);
        Start(user: User(OtherBuild)).Get(Kernels[0]);
        Assert.That(_compiled, Is.EqualTo(3), "in another build's folder");
    }

    [Test]
    public void WhateverThePtxDependsOnIsPartOfTheFilesName()
    {
        GpuKernel kernel = Kernels[0];
        GpuKernel Like(MethodInfo? method = null, int threads = 256, int blocks = 2, GpuTarget target = GpuTarget.Simt,
            bool doubles = false) =>
            new(method ?? kernel.Method, kernel.Name, threads, blocks, kernel.Registers, 0,
            target)
            { UsesDoubles = doubles };
        GpuKernel[] others =
        [
            Like(), Like(Kernels[1].Method), Like(threads: 128), Like(blocks: 3), Like(target: GpuTarget.Wgmma),
            Like(doubles: true),
        ];

        Assert.That(others.Select(User().FileOf), Is.Unique);
        Assert.That(KernelRegistry.All.Select(User().FileOf), Is.Unique);
    }

    [Test]
    public void ShippedPtxComesFirstAndIsNotCopied()
    {
        var shipped = new PtxFolder(Sub("shipped"), Build);
        shipped.Write(Kernels[0], "of the program");
        User().Write(Kernels[0], "of the user");

        Assert.That(Start(shipped).Get(Kernels[0]), Is.EqualTo("of the program"));
        Start(shipped).Get(Kernels[1]);
        Assert.That(File.Exists(User().FileOf(Kernels[1])), Is.True, "what the program lacks is the user's");
        Assert.That(File.Exists(shipped.FileOf(Kernels[1])), Is.False);
    }

    [Test]
    public void AFolderThatCannotBeWrittenToIsNoCache()
    {
        File.WriteAllText(Sub("file"), "");
        PtxCache cache = Start(user: new PtxFolder(Sub("file/below"), Build));

        foreach (GpuKernel kernel in Kernels)
            Assert.That(cache.Get(kernel), Is.EqualTo(TextOf(kernel)));
        Assert.That(_compiled, Is.EqualTo(Kernels.Length));
    }

    [Test]
    public void AFolderInTheFilesPlaceIsNoCache()
    {
        Directory.CreateDirectory(User().FileOf(Kernels[0]));

        Assert.That(Start().Get(Kernels[0]), Is.EqualTo(TextOf(Kernels[0])));
        Assert.That(Directory.GetFiles(User().Path), Is.Empty, "temporary files");
    }

    [Test]
    public void ThoseThatWriteAndReadAtOnceDoNotDisturbEachOther()
    {
        // A cache of its own for each, as processes have.
        Parallel.For(0, 64, new ParallelOptions { MaxDegreeOfParallelism = 8 }, turn =>
        {
            PtxCache cache = Start();
            foreach (GpuKernel kernel in turn % 2 == 0 ? Kernels : Kernels.Reverse())
            {
                if (turn % 8 == 0)
                    User().Write(kernel, TextOf(kernel));
                Assert.That(cache.Get(kernel) == TextOf(kernel), kernel.Name);
            }
        });

        int before = _compiled;
        foreach (GpuKernel kernel in Kernels)
            Start().Get(kernel);
        Assert.That(_compiled, Is.EqualTo(before), "all are there");
        Assert.That(Directory.GetFiles(User().Path), Has.Length.EqualTo(Kernels.Length), "and nothing else");
    }

    [Test]
    public void OldBuildsAndWhatKilledProcessesLeftAreRemoved()
    {
        const int Builds = 6;
        for (int age = 0; age < Builds; age++)
            Make($"user/{age:x32}", age + 1);
        Make("user/letters", 365);
        Make($"user/{Build}", 0);
        string old = Path.Combine(User().Path, "a.ptx.1.tmp"), young = Path.Combine(User().Path, "a.ptx.2.tmp");
        File.WriteAllText(old, "");
        File.WriteAllText(young, "");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-2));

        Start().Get(Kernels[0]);

        Assert.That(Directory.GetDirectories(Sub("user")).Select(Path.GetFileName),
            Is.EquivalentTo([$"{0:x32}", $"{1:x32}", $"{2:x32}", "letters", Build]));
        Assert.That(File.Exists(old), Is.False);
        Assert.That(File.Exists(young), Is.True, "another process may be writing it");

        void Make(string folder, int days) =>
            Directory.SetLastWriteTimeUtc(Directory.CreateDirectory(Sub(folder)).FullName,
            DateTime.UtcNow.AddDays(-days));
    }

    [Test]
    public void AKernelOfAnotherAssemblyIsAlwaysCompiled()
    {
        var kernel = new GpuKernel(((Action<int>)Nothing).Method, "Nothing", 32, 1, 32);

        Start().Get(kernel);
        Start().Get(kernel);

        Assert.That(_compiled, Is.EqualTo(2));
        Assert.That(Directory.Exists(Sub("user")), Is.False);

        static void Nothing(int x)
        {
        }
    }

    [Test]
    [NonParallelizable]
    public void TheEnvironmentNamesTheFolderOrSwitchesItOff()
    {
        string? variable = Environment.GetEnvironmentVariable(PtxCache.Variable);
        string? caches = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        try
        {
            Assert.That(Folder("off", _root), Is.Null);
            Assert.That(Folder(Sub("named"), _root), Is.EqualTo(Sub("named")));
            Assert.That(Folder(null, _root), Is.EqualTo(Sub("cliper-gpu/ptx")));
            Assert.That(Folder("", _root), Is.EqualTo(Sub("cliper-gpu/ptx")));
            Assert.That(Folder(null, "relative"), Is.Null.Or.EndsWith("cliper-gpu/ptx").And.Not.Contains("relative"));
        }
        finally
        {
            Folder(variable, caches);
        }

        static string? Folder(string? named, string? xdg)
        {
            Environment.SetEnvironmentVariable(PtxCache.Variable, named);
            Environment.SetEnvironmentVariable("XDG_CACHE_HOME", xdg);
            return PtxCache.UserFolder;
        }
    }

    [Test]
    [NonParallelizable]
    public void WhatIsReadIsWhatIsCompiledAndAFileIsPtx()
    {
        string? before = Environment.GetEnvironmentVariable(PtxCache.Variable);
        GpuKernel kernel = Kernels[0];
        string compiled, read;
        try
        {
            Environment.SetEnvironmentVariable(PtxCache.Variable, Sub("real"));
            compiled = PtxCache.FromEnvironment().Get(kernel);
            read = PtxCache.FromEnvironment().Get(kernel);
        }
        finally
        {
            Environment.SetEnvironmentVariable(PtxCache.Variable, before);
        }

        Assert.That(compiled, Is.EqualTo(KernelCompiler.Compile(kernel)));
        Assert.That(read, Is.EqualTo(compiled));
        string file = File.ReadAllText(new PtxFolder(Sub("real"), PtxFolder.ThisBuild).FileOf(kernel), Encoding.UTF8);
        Assert.That(file, Does.StartWith($"// build {PtxFolder.ThisBuild}; {kernel.Name}; ").And.EndsWith(compiled));
        Ptxas.Require();
        Assert.That(Ptxas.Assemble(file, "sm_80").Registers, Is.EqualTo(Ptxas.Assemble(compiled, "sm_80").Registers));
    }
}
