// A fake of NVIDIA's driver, by which the program's dealing with it is tested: memory is the host's, kernels do nothing, and what
// fails is said by environment variables. Streams are queues: FAKE_LATE names one ("uploads" or "work") whose work is done only when somebody
// waits for it, so that what is not waited for is not there. FAKE_LOG is a file that gets a line for each call that matters.
// It is as strict as a driver: a thread without the context, a launch beyond a limit, arguments of another length than the text's, work that
// a capture forbids are errors, and a null handle ends the program.
// FAKE_FAULT_KERNEL=N lets the Nth launch fault as a kernel does: it is queued without an error, the next call that waits fails with 700,
// and so does everything after that. FAKE_HANG=N lets it never end: calls that wait for it do not return. FAKE_INFO_LOG is what the
// driver's compiler says of every text.
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct event { struct stream *stream; long at; } event;
typedef struct work { enum { COPY, SET, LAUNCH, WAIT, GRAPH } kind; void *to; const void *from; size_t bytes; int value; event *event; long at; struct stream *graph; } work;
typedef struct stream { work *queue; long count, size, done; int late; } stream;
// Of a text: bytes of its parameters, most dynamic shared memory that has been asked for, whether it has been launched.
typedef struct function { size_t arguments; unsigned shared; int launched; } function;

static long said(const char *name, long otherwise) { const char *text = getenv(name); return text ? atol(text) : otherwise; }
static void log_line(const char *what, long number)
{
    static FILE *file;
    if (!file && getenv("FAKE_LOG"))
        setvbuf(file = fopen(getenv("FAKE_LOG"), "w"), NULL, _IOLBF, 0);
    if (file)
        fprintf(file, "%s %ld\n", what, number);
}

static long launches, replays, streams;
static stream *capturing;
static stream *captured;
static int capture_mode, capture_thread;
static __thread void *current;
static int faulted;
// Without the context a thread can do nothing; once a card is lost every call says so.
static int state(void)
{
    return !current ? 201 : faulted ? 700 : launches > said("FAKE_LAUNCHES", 1L << 40) || replays > said("FAKE_REPLAYS", 1L << 40) ? 719 : 0;
}
static void *made(void *handle) { if (!handle) abort(); return handle; }

static void run(stream *of, long upto);
static void perform(work *item)
{
    switch (item->kind)
    {
    case COPY: memmove(item->to, item->from, item->bytes); break;
    case SET: memset(item->to, item->value, item->bytes); break;
    case WAIT: if (item->event->stream) run(item->event->stream, item->at); break;
    case GRAPH: for (long i = 0; i < item->graph->count; i++) perform(&item->graph->queue[i]); break;
    case LAUNCH: break;
    }
}
static void run(stream *of, long upto)
{
    while (of->done < upto)
        perform(&of->queue[of->done++]);
}
static int push(stream *to, work item)
{
    stream *queue = capturing == to ? captured : to;
    if (queue->count == queue->size)
        queue->queue = realloc(queue->queue, (queue->size = 2 * queue->size + 64) * sizeof(work));
    queue->queue[queue->count++] = item;
    if (queue == to && !to->late)
        run(to, to->count);
    return state();
}
// What a kernel has done wrong shows to who waits for it.
static void await_launches(void)
{
    faulted |= launches >= said("FAKE_FAULT_KERNEL", 1L << 40);
    while (launches >= said("FAKE_HANG", 1L << 40))
        pause();
}
// What a capture does not allow: a global one (mode 0) to no thread, another to its own.
static int outside(void) { return capturing && (!capture_mode || capture_thread == gettid()) ? 900 : state(); }

int cuGetErrorName(int error, const char **text)
{
    *text = error == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY"
        : error == 801 ? "CUDA_ERROR_NOT_SUPPORTED" : error == 900 ? "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED" : error == 201 ? "CUDA_ERROR_INVALID_CONTEXT"
        : error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS" : error == 1 ? "CUDA_ERROR_INVALID_VALUE" : error == 802 ? "CUDA_ERROR_SYSTEM_NOT_READY" : "CUDA_ERROR_OTHER";
    return 0;
}
int cuInit(unsigned flags) { return said("FAKE_INIT", 0); }
int cuDriverGetVersion(int *version) { *version = said("FAKE_VERSION", 12040); return 0; }
int cuDeviceGetCount(int *count) { *count = said("FAKE_COUNT", 1); return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Stand-in", length); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device)
{
    long capability = said("FAKE_CAPABILITY", 80);
    *value = attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10
        : attribute == 97 ? (capability == 90 ? 232448 : 166912) : 108;
    return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = &launches; return said("FAKE_OPEN", 0); }
int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
int cuCtxSetCurrent(void *context) { current = made(context); return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total)
{
    *free = (size_t)said("FAKE_FREE_MIB", 1024) << 20;
    *total = (size_t)4096 << 20;
    return state();
}
int cuMemAlloc_v2(void **address, size_t bytes)
{
    log_line("allocate", bytes);
    if (said("FAKE_ALLOC", 0))
        return said("FAKE_ALLOC", 0);
    return posix_memalign(address, 256, bytes) ? 2 : outside();
}
int cuMemFree_v2(void *address) { free(made(address)); return state(); }
int cuMemHostAlloc(void **address, size_t bytes, unsigned flags) { log_line("pin", bytes); *address = malloc(bytes); return outside(); }
int cuMemFreeHost(void *address) { free(made(address)); return state(); }
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, stream *on)
{
    log_line("upload", bytes);
    return push(on, (work){ .kind = COPY, .to = to, .from = from, .bytes = bytes });
}
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, stream *on)
{
    log_line("download", bytes);
    return outside() ? outside() : push(on, (work){ .kind = COPY, .to = to, .from = from, .bytes = bytes });
}
int cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t bytes, stream *on)
{
    return push(on, (work){ .kind = COPY, .to = to, .from = from, .bytes = bytes });
}
int cuMemsetD8Async(void *to, unsigned char value, size_t bytes, stream *on)
{
    return push(on, (work){ .kind = SET, .to = to, .value = value, .bytes = bytes });
}
int cuStreamCreate(stream **created, unsigned flags)
{
    const char *late = getenv("FAKE_LATE");
    *created = calloc(1, sizeof(stream));
    (*created)->late = late && !strcmp(late, streams++ ? "uploads" : "work");
    return state();
}
int cuStreamDestroy_v2(stream *ended) { made(ended); return state(); }
int cuStreamSynchronize(stream *awaited)
{
    made(awaited);
    run(awaited, awaited->count);
    await_launches();
    return outside();
}
int cuStreamWaitEvent(stream *waiting, event *awaited, unsigned flags)
{
    log_line("wait", 0);
    return push(waiting, (work){ .kind = WAIT, .event = awaited, .at = awaited->at });
}
int cuEventCreate(event **created, unsigned flags) { *created = calloc(1, sizeof(event)); return state(); }
int cuEventDestroy_v2(event *ended) { made(ended); return state(); }
int cuEventRecord(event *recorded, stream *on) { *recorded = (event){ on, on->count }; return outside(); }
int cuEventSynchronize(event *awaited)
{
    if (awaited->stream)
    {
        long graphs = 0, pieces = awaited->at - awaited->stream->done;
        for (long i = awaited->stream->done; i < awaited->at; i++)
            graphs += awaited->stream->queue[i].kind == GRAPH;
        if (pieces > 0)
            log_line(graphs ? "eventsync-waits-for-graph" : "eventsync-waits-for-work", pieces);
        run(awaited->stream, awaited->at);
    }
    await_launches();
    return outside();
}
// A number of a call's options, by its name; 0 where it is not among them.
static void *option(int name, unsigned count, int *names, void **values)
{
    for (unsigned i = 0; i < count; i++)
        if (names[i] == name)
            return values[i];
    return NULL;
}
// One of the two logs, cut to the length that was given for it.
static void write_log(const char *text, int buffer, int length, unsigned count, int *names, void **values)
{
    size_t bytes = (size_t)option(length, count, names, values);
    if (text && bytes)
        snprintf(option(buffer, count, names, values), bytes, "%s", text);
}
int cuModuleLoadDataEx(function **module, const char *text, unsigned count, int *names, void **values)
{
    log_line("load", gettid());
    *module = calloc(1, sizeof(function));
    (*module)->shared = 48 << 10;
    const char *end = strchr(strstr(text, ".entry"), ')');
    for (const char *at = text; (at = strstr(at, ".param .")) && at < end; at++)
    {
        size_t size = at[9] == '6' ? 8 : 4, before = (*module)->arguments;
        (*module)->arguments = (before + size - 1) / size * size + size;
    }
    // Hopper's own instructions are of its capability alone.
    int hopper = said("FAKE_CAPABILITY", 80) == 90 && said("FAKE_VERSION", 12040) >= 12000;
    int result = strstr(text, ".target sm_90a") && !hopper ? 209 : said("FAKE_LOAD", 0);
    if (result == 222)
        write_log("ptxas fatal: Unsupported .version 7.8; current version is '7.4'", 5, 6, count, names, values);
    // Registers and spills are said only to who asks for a verbose log.
    if (option(12, count, names, values))
        write_log(getenv("FAKE_INFO_LOG"), 3, 4, count, names, values);
    return result ? result : outside();
}
int cuModuleUnload(function *module) { free(made(module)); return state(); }
int cuModuleGetFunction(function **found, function *module, const char *name) { *found = made(module); return strcmp(name, "kernel") ? 500 : outside(); }
int cuFuncSetAttribute(function *of, int attribute, int value)
{
    of->shared = value;
    return attribute == 8 ? outside() : 1;
}
int cuLaunchKernel(function *of, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threadsY, unsigned threadsZ,
    unsigned shared, stream *on, void **parameters, void **extra)
{
    const unsigned Most = 65535;
    if (capturing && said("FAKE_CAPTURED_LAUNCH", 0))
        return said("FAKE_CAPTURED_LAUNCH", 0);
    if (!x || x >> 31 || !y || y > Most || !z || z > Most || !threads || threads > 1024 || shared > of->shared || parameters
        || extra[0] != (void *)1 || extra[2] != (void *)2 || extra[4] || *(size_t *)extra[3] != of->arguments)
        return 1;
    // The first launch may load what a capture does not allow.
    if (capturing && !of->launched)
        return 900;
    of->launched = 1;
    launches += !capturing;
    return push(on, (work){ .kind = LAUNCH });
}
int cuStreamBeginCapture_v2(stream *on, int mode)
{
    if (said("FAKE_CAPTURE", 0))
        return said("FAKE_CAPTURE", 0);
    captured = calloc(1, sizeof(stream));
    capture_mode = mode;
    capture_thread = gettid();
    capturing = made(on);
    return state();
}
int cuStreamEndCapture(stream *on, stream **graph)
{
    log_line("captured", captured->count);
    *graph = captured;
    capturing = NULL;
    return state();
}
int cuGraphInstantiateWithFlags(stream **executable, stream *graph, unsigned long long flags)
{
    *executable = graph;
    return said("FAKE_INSTANTIATE", 0) ? said("FAKE_INSTANTIATE", 0) : state();
}
int cuGraphDestroy(stream *graph) { return 0; }
int cuGraphExecDestroy(stream *executable) { log_line("ended", executable->count); return 0; }
int cuGraphLaunch(stream *executable, stream *on)
{
    replays++;
    log_line("replay", executable->count);
    return push(on, (work){ .kind = GRAPH, .graph = executable });
}
