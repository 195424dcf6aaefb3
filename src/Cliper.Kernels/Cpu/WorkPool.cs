using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Cliper.Kernels.Cpu;

/// <summary>
/// Fork and join for kernels: persistent workers that spin for a moment, then sleep (0.2 µs a region while awake, where
/// Task.Run takes 1.2 and Parallel.For 3.2: a batch-1 forward has about ninety regions). The caller is worker 0.
/// Units are claimed one by one, so uneven units balance; which worker runs a unit must never change its result.
/// One region at a time: callers on other threads wait their turn.
/// </summary>
public sealed unsafe class WorkPool : IDisposable
{
    private const int SpinsBeforeSleep = 20_000;
    private const int SpinsBeforeYield = 1_000;

    private readonly Lock _turn = new();
    private readonly SemaphoreSlim[] _wake;
    private readonly int[] _sleeping;
    private readonly nint[] _scratch;
    private readonly nuint[] _scratchBytes;
    private Action<int, int>? _body;
    private Exception? _failure;
    private int _units;
    private int _next;
    private int _running;
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
            new Thread(() => Loop(index)) { IsBackground = true, Name = $"kernel worker {index}" }.Start();
        }
    }

    /// <summary>Workers, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Time that callers have spent in <see cref="Run"/>: what of a step's time is kernels' is measured by it.</summary>
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
            _body = body;
            _units = units;
            _next = 0;
            if (Threads == 1 || units == 1)
            {
                Drain(0);
            }
            else
            {
                _running = Threads - 1;
                _generation++;
                for (int worker = 1; worker < Threads; worker++)
                    if (Interlocked.Exchange(ref _sleeping[worker], 0) == 1)
                        _wake[worker].Release();
                Drain(0);
                // When other programs use the cores too, the last worker may be waiting for this one: yield it soon, and never
                // sleep, which would take a millisecond at least.
                for (int spins = 0; Volatile.Read(ref _running) != 0; spins++)
                    if (spins < SpinsBeforeYield)
                        Thread.SpinWait(1);
                    else
                        Thread.Yield();
            }
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
    /// Scratch memory of one worker inside a region: undefined content, aligned to 4096 bytes, valid until its next call.
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

    private void Drain(int worker)
    {
        try
        {
            Action<int, int> body = _body!;
            int units = _units;
            for (int unit = Interlocked.Increment(ref _next) - 1; unit < units;
                 unit = Interlocked.Increment(ref _next) - 1)
                body(unit, worker);
        }
        catch (Exception failure)
        {
            _failure = failure;
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
                if (++spins < SpinsBeforeSleep)
                {
                    Thread.SpinWait(1);
                    continue;
                }
                // Announce sleep, then look once more: a region started in between sees the announcement or is seen here.
                Interlocked.Exchange(ref _sleeping[worker], 1);
                if ((_generation == seen && !_disposed) || Interlocked.Exchange(ref _sleeping[worker], 0) == 0)
                    _wake[worker].Wait();
                spins = 0;
            }
            if (_disposed)
                return;
            seen = _generation;
            Drain(worker);
            Interlocked.Decrement(ref _running);
        }
    }
}
