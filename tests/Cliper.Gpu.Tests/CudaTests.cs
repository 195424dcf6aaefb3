using System.Collections.Concurrent;
using Cliper.Gpu.Tests.Operations;
using Cliper.Kernels;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.Cuda;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests;

/// <summary>
/// The card on which the tests of category Cuda run instead of on the interpreter where CLIPER_TEST_DEVICE is "cuda". A
/// card that is missing then fails each of them: nothing is left out unseen.
/// </summary>
internal static class Card
{
    // The largest test takes some hundred megabytes; other programs may use the card.
    private const long Memory = 2L << 30;

    private static readonly SemaphoreSlim Free = new(1);
    private static readonly Dictionary<ElementType, CudaDevice> Opened = [];

    /// <summary>Whether tests run on a card.</summary>
    public static bool IsAskedFor { get; } = Environment.GetEnvironmentVariable("CLIPER_TEST_DEVICE") == "cuda";

    /// <summary>
    /// The card, for one test at a time. It is opened once for each format: loading the kernels is what takes time.
    /// </summary>
    public static CudaDevice Take(ElementType stored)
    {
        Free.Wait();
        try
        {
            if (!Opened.TryGetValue(stored, out CudaDevice? device))
                Opened.Add(stored, device = Open(stored));
            return device;
        }
        catch
        {
            Free.Release();
            throw;
        }
    }

    /// <summary>
    /// The card as another device, for a test that asks for more than a format. Its warnings are written at once: what
    /// is said of a kernel that never ends must not wait for the end of its test.
    /// </summary>
    public static CudaDevice Open(ElementType stored = ElementType.Float16, bool graphs = true) =>
        GpuDevices.OpenCuda(0, Memory, stored, graphs, warning => TestContext.Progress.WriteLine(warning));

    /// <summary>Lets the next test have it.</summary>
    public static void Return() => Free.Release();

    /// <summary>Ends it.</summary>
    public static void Close()
    {
        foreach (CudaDevice device in Opened.Values)
            device.Dispose();
        Opened.Clear();
    }
}

/// <summary>Ends the card after the last test.</summary>
[SetUpFixture]
public sealed class AllTests
{
    [OneTimeTearDown]
    public void EndTheCard() => Card.Close();
}

/// <summary>Tests of what only a card can show.</summary>
public sealed class CudaDeviceTests : GpuFixture
{
    private CudaDevice OnlyCard
    {
        get
        {
            if (!Card.IsAskedFor)
                Assert.Ignore("CLIPER_TEST_DEVICE is not cuda: benchmarks/gpu.sh runs this on a card");
            return (CudaDevice)Device;
        }
    }

    [Test]
    public void ItsFloorsArePlausible()
    {
        // From a laptop's card to several times the fastest known.
        Assert.That(GpuRoofline.MeasureGflops(OnlyCard), Is.InRange(5e3, 5e6));
        Assert.That(GpuRoofline.MeasureBandwidth(OnlyCard, 256 << 20), Is.InRange(50, 50_000));
    }

    [Test]
    public void EveryKernelOfTheCatalogLoads()
    {
        CudaDevice card = OnlyCard;
        var failures = new ConcurrentQueue<string>();
        IEnumerable<GpuKernel> kernels = KernelRegistry.All.Where(kernel => card.Supports(kernel.Target));
        Parallel.ForEach(Partitioner.Create(kernels, EnumerablePartitionerOptions.NoBuffering), kernel =>
        {
            try
            {
                card.Load(kernel);
            }
            catch (Exception failure) when (failure is DeviceException or InvalidOperationException)
            {
                failures.Enqueue($"{kernel.Name}: {failure.Message}");
            }
        });
        foreach ((string kernel, string log) in card.KernelLogs)
            TestContext.Out.WriteLine($"{kernel}: {log}");

        Assert.That(failures, Is.Empty);
    }

    /// <remarks>
    /// A layer of a ViT-B on 32 pictures: enough tiles for the largest kernel, a depth of many turns of its ring, and a
    /// weight's gradient cut in depth. The bounds are those of <see cref="GemmTests"/>, of 16-bit and of fp32
    /// results.
    /// </remarks>
    [Test]
    public void ProductsOfAModelsSizeAreTheHosts()
    {
        const int Rows = 32 * 197, Inner = 768, Columns = 2304;
        CudaDevice card = OnlyCard;
        using var host = new CpuDevice();
        GpuTarget target = card.HasWgmma ? GpuTarget.Wgmma : GpuTarget.MmaSync;
        foreach ((string name, int m, int n, int k) in new[]
            { ("x w'", Rows, Columns, Inner), ("dy w", Rows, Inner, Columns), ("dy' x", Columns, Inner, Rows) })
        {
            bool isWeight = k == Rows;
            float[] a = Random((long)m * k, 1), b = Random((long)k * n, 2);
            DeviceArray result = card.Allocate((long)m * n, isWeight ? ElementType.Float32 : Stored),
                expected = host.Allocate((long)m * n);
            Device.Launched.Clear();
            foreach ((Device device, DeviceArray left, DeviceArray right, DeviceArray y) in new[]
                { (card, Halves(a), Halves(b), result), ((Device)host, host.From(a), host.From(b), expected) })
            {
                Gemm.Run(isWeight ? new Matrix(left, k, m).Transposed : new Matrix(left, m, k),
                    name == "x w'" ? new Matrix(right, n, k).Transposed : new Matrix(right, k, n), new Matrix(y, m, n));
                device.Free(left);
                device.Free(right);
            }

            AssertClose(Device.ToFloats(result), [.. host.ToFloats(expected).Select(value => (double)value)], value =>
                2 * U32 * k * Math.Sqrt(k) + (isWeight ? 0 : U16 * (Math.Abs(value) + 1e-2)), name);
            Assert.That(Device.Launched.Select(kernel => kernel.Target), Does.Contain(target), name);
            Free(result);
            host.Free(expected);
        }
    }

    [Test]
    public void BytesComeBackAsTheyWere()
    {
        // A staging buffer has 64 MiB, a thirty-second of the memory: two full ones, and the first again for a part.
        byte[] bytes = new byte[150_000_000], back = new byte[bytes.Length];
        new Random(1).NextBytes(bytes);
        DeviceArray array = Device.From(bytes), copy = Device.Allocate(bytes.Length, ElementType.UInt8);
        Device.Copy(array, copy);
        Device.Clear(array);
        Device.Download(copy, back);
        Assert.That(back.AsSpan().SequenceEqual(bytes), "the bytes that come back are others");
        Device.Download(array, back);
        Assert.That(back.AsSpan().IndexOfAnyExcept((byte)0), Is.EqualTo(-1), "the first byte that was not cleared");
        Device.Free(array);
        Device.Free(copy);
    }
}
