using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Tests.Devices;

public sealed unsafe class WorkPoolTests
{
    [Test]
    public void EveryUnitRunsOnceInManySmallRegions([Range(1, 4)] int threads)
    {
        using var pool = new WorkPool(threads);
        for (int region = 0; region < 3000; region++)
        {
            int units = region % 7;
            var ran = new int[units];
            pool.Run(units, (unit, worker) =>
            {
                Assert.That(worker, Is.InRange(0, threads - 1));
                Interlocked.Increment(ref ran[unit]);
            });
            Assert.That(ran, Is.All.EqualTo(1));
        }
    }

    [Test]
    public void Run_WithFarMoreWorkersThanCores_RunsEachUnitOnceAndInItsOwnRegion()
    {
        // Most workers come late to nearly every region here, and must take nothing of the one that has begun since.
        using var pool = new WorkPool(16 * Environment.ProcessorCount);
        for (int region = 1; region <= 2000; region++)
        {
            int units = 1 + region % 3, sum = 0, expected = units * region;
            int own = region;
            pool.Run(units, (_, _) => Interlocked.Add(ref sum, own));
            Assert.That(sum, Is.EqualTo(expected), $"region {region}");
        }
    }

    [Test]
    public void WorkersThatHaveGoneToSleepWakeUp()
    {
        using var pool = new WorkPool(3);
        for (int region = 0; region < 5; region++)
        {
            Thread.Sleep(20);
            int sum = 0;
            pool.Run(100, (unit, _) => Interlocked.Add(ref sum, unit));
            Assert.That(sum, Is.EqualTo(4950));
        }
    }

    [Test]
    public void AnExceptionComesOutAndThePoolGoesOn([Range(1, 4)] int threads)
    {
        using var pool = new WorkPool(threads);
        for (int round = 0; round < 20; round++)
        {
            Assert.That(() => pool.Run(10, (unit, _) =>
            {
                if (unit == 4)
                    throw new InvalidOperationException("unit 4");
            }), Throws.InstanceOf<AggregateException>().With.InnerException.Message.EqualTo("unit 4"));
            int ran = 0;
            pool.Run(10, (_, _) => Interlocked.Increment(ref ran));
            Assert.That(ran, Is.EqualTo(10));
        }
    }

    [Test]
    public void CallersOnSeveralThreadsTakeTurns()
    {
        using var pool = new WorkPool(2);
        var sums = new int[4];
        Thread[] callers = [.. sums.Select((_, caller) => new Thread(() =>
        {
            for (int region = 0; region < 200; region++)
                pool.Run(5, (unit, _) => Interlocked.Add(ref sums[caller], unit));
        }))];
        foreach (Thread caller in callers)
            caller.Start();
        foreach (Thread caller in callers)
            caller.Join();
        Assert.That(sums, Is.All.EqualTo(200 * 10));
    }

    [Test]
    public void EachWorkerHasItsOwnScratch()
    {
        using var pool = new WorkPool(2);
        pool.Run(64, (unit, worker) =>
        {
            int length = 100 + unit * 50;
            var scratch = new Span<int>(pool.Scratch(worker, length * sizeof(int)), length);
            scratch.Fill(unit);
            Thread.Yield();
            foreach (int value in scratch)
                if (value != unit)
                    throw new InvalidOperationException("another worker wrote here");
        });
    }
}
