using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Cliper.Kernels.Cpu;

/// <summary>
/// Fork and join for kernels: persistent workers that spin for a moment, then sleep (0.2 µs a region while awake, where
/// Task.Run takes 1.2 and Parallel.For 3.2: a batch-1 forward has about ninety regions). The caller is worker 0.
/// Units are claimed one by one, so uneven units balance; which worker runs a unit must never change its result.
/// A region ends when its units have ended, whether or not every worker has come by: on a busy machine a worker may
/// get no core for milliseconds. One region at a time: callers on other threads wait their turn.
/// </summary>
public sealed unsafe class WorkPool : IDisposable
{
    // A worker without work spins, so that the next region finds it awake, then offers its core to others, then sleeps.
    private const int SpinsBeforeYield = 1_000;
    private const int YieldsBeforeSleep = 500;

    private readonly Lock _turn = new();
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _sleeping;
    private readonly nint[] _scratch;
    private readonly nuint[] _scratchBytes;
    private Action<int, int>? _body;
    private Exception? _failure;
    private int _units;
    // The generation of the region in the upper half, its next unit in the lower: a worker that comes late to a region
    // that has ended cannot take a unit of the one after it.
    private long _ticket;
    private int _finished;
    private volatile int _generation;
    private volatile bool _disposed;

    /// <summary>A pool of <paramref name="threads"/> workers, the caller included.</summary>
    public WorkPool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
        _wake = new SemaphoreSlim[threads];
        _sleeping = new int[threads];
        _scratch = new nint[threads];
        _scratchBytes = new nuint[threads];
        for (int worker = 1; worker < threads; worker++)
        {
            _wake[worker] = new SemaphoreSlim(0);
            int index = worker;
            var thread = new Thread(() => Loop(index)) { IsBackground = true, Name = $"kernel worker {index}" };
            try
            {
                thread.Start();
            }
            catch (OutOfMemoryException failure)
            {
                // .NET reports so that the system allows no more threads.
                _disposed = true;
                // Those that have been started may sleep already, and nothing else would ever wake them.
                for (int started = 1; started < worker; started++)
                    _wake[started].Release();
                throw new IOException($"thread {worker + 1} of {threads} could not be started: raise the limit of "
                    + "processes (ulimit -u), or use fewer threads", failure);
            }
        }
    }

    /// <summary>Workers, the caller included.</summary>
    public int Threads { get; }

    /// <summary>
    /// Time that callers have spent in <see cref="Run"/>: what of a step's time is kernels' is measured by it.
    /// </summary>
    public TimeSpan RegionTime { get; private set; }

    /// <summary>
    /// Runs <paramref name="body"/>(unit, worker) for every unit in [0, <paramref name="units"/>) and waits for all.
    /// An exception in a unit is thrown here once the others have ended. Not re-entrant.
    /// </summary>
    public void Run(int units, Action<int, int> body)
    {
        if (units <= 0)
            return;
        lock (_turn)
        {
            long began = Stopwatch.GetTimestamp();
            int generation = _generation + 1;
            // Nothing can be claimed while the body and the number of units change.
            Volatile.Write(ref _ticket, (long)generation << 32 | int.MaxValue);
            _body = body;
            _units = units;
            _finished = 0;
            Volatile.Write(ref _ticket, (long)generation << 32);
            _generation = generation;
            if (units > 1)
                for (int worker = 1; worker < Threads; worker++)
                    if (Interlocked.Exchange(ref _sleeping[worker], 0) == 1)
                        _wake[worker].Release();
            Drain(0, generation);
            // When other programs use the cores too, the last unit's worker may be waiting for this one: yield it
            // soon, and never sleep, which would take a millisecond at least.
            for (int spins = 0; Volatile.Read(ref _finished) != units; spins++)
                if (spins < SpinsBeforeYield)
                    Thread.SpinWait(1);
                else
                    Thread.Yield();
            _body = null;
            RegionTime += Stopwatch.GetElapsedTime(began);
            if (_failure is { } failure)
            {
                _failure = null;
                throw new AggregateException(failure.Message, failure);
            }
        }
    }

    /// <summary>
    /// Scratch memory of one worker inside a region: undefined content, aligned to 4096 bytes, valid until its next
    /// call.
    /// </summary>
    public void* Scratch(int worker, long bytes)
    {
        if (_scratchBytes[worker] < (nuint)bytes)
        {
            NativeMemory.AlignedFree((void*)_scratch[worker]);
            _scratchBytes[worker] = (nuint)(bytes + bytes / 4);
            _scratch[worker] = (nint)NativeMemory.AlignedAlloc(_scratchBytes[worker], 4096);
        }
        return (void*)_scratch[worker];
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        for (int worker = 1; worker < Threads; worker++)
            _wake[worker].Release();
        foreach (nint scratch in _scratch)
            NativeMemory.AlignedFree((void*)scratch);
    }

    // Runs units of a region until none is left, or until another region has begun.
    private void Drain(int worker, int generation)
    {
        while (true)
        {
            long ticket = Volatile.Read(ref _ticket);
            int unit = (int)ticket;
            if ((int)(ticket >> 32) != generation || unit >= Volatile.Read(ref _units))
                return;
            if (Interlocked.CompareExchange(ref _ticket, ticket + 1, ticket) != ticket)
                continue;
            try
            {
                _body!(unit, worker);
            }
            catch (Exception failure)
            {
                _failure = failure;
            }
            Interlocked.Increment(ref _finished);
        }
    }

    private void Loop(int worker)
    {
        int seen = 0;
        while (true)
        {
            int spins = 0;
            while (_generation == seen && !_disposed)
            {
                spins++;
                if (spins < SpinsBeforeYield)
                {
                    Thread.SpinWait(1);
                    continue;
                }
                if (spins < SpinsBeforeYield + YieldsBeforeSleep)
                {
                    Thread.Yield();
                    continue;
                }
                // Announce sleep, then look once more: a region started in between sees the announcement or is seen
                // here.
                Interlocked.Exchange(ref _sleeping[worker], 1);
                if ((_generation == seen && !_disposed) || Interlocked.Exchange(ref _sleeping[worker], 0) == 0)
                    _wake[worker].Wait();
                spins = 0;
            }
            if (_disposed)
                return;
            seen = _generation;
            Drain(worker, seen);
        }
    }
}
