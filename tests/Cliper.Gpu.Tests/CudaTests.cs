using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Ptx;

namespace Cliper.Gpu.Tests;

/// <summary>
/// The card on which the tests of category Cuda run instead of on the interpreter where CLIPER_TEST_DEVICE is "cuda". A card
/// that is missing then fails each of them: nothing is left out unseen.
/// </summary>
internal static class Card
{
    // The largest test takes some hundred megabytes; other programs may use the card.
    private const long Memory = 2L << 30;

    private static readonly SemaphoreSlim Free = new(1);
    private static readonly Dictionary<ElementType, CudaDevice> Opened = [];

    /// <summary>Whether tests run on a card.</summary>
    public static bool IsAskedFor { get; } = Environment.GetEnvironmentVariable("CLIPER_TEST_DEVICE") == "cuda";

    /// <summary>The card, for one test at a time. It is opened once for each format: loading the kernels is what takes time.</summary>
    public static CudaDevice Take(ElementType stored)
    {
        Free.Wait();
        try
        {
            if (!Opened.TryGetValue(stored, out CudaDevice? device))
                Opened.Add(stored, device = new CudaDevice(0, Memory, stored));
            return device;
        }
        catch
        {
            Free.Release();
            throw;
        }
    }

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

/// <summary>What only a card can show.</summary>
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
        Assert.That(GpuPeak.MeasureGflops(OnlyCard), Is.InRange(5e3, 5e6));
        Assert.That(GpuPeak.MeasureBandwidth(OnlyCard, 256 << 20), Is.InRange(50, 50_000));
    }

    [Test]
    public void EveryKernelOfTheCatalogueLoads()
    {
        CudaDevice card = OnlyCard;
        foreach (GpuKernel kernel in KernelCatalogue.All.Where(card.Takes))
            Assert.That(() => card.Load(kernel), Throws.Nothing, kernel.Name);
    }

    [Test]
    public void BytesComeBackAsTheyWere()
    {
        // More than a staging buffer, and no multiple of it.
        byte[] bytes = new byte[(40 << 20) + 12_345], back = new byte[bytes.Length];
        new Random(1).NextBytes(bytes);
        DeviceArray array = Device.From(bytes), copy = Device.Allocate(bytes.Length, ElementType.UInt8);
        Device.Copy(array, copy);
        Device.Clear(array);
        Device.Download(copy, back);
        Assert.That(back, Is.EqualTo(bytes));
        Device.Download(array, back);
        Assert.That(back, Has.All.Zero);
        Device.Free(array);
        Device.Free(copy);
    }
}
