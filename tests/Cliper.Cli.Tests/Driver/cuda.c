// A stand-in for NVIDIA's driver, by which the program's dealing with its failures is tested: memory is the host's, kernels do
// nothing, and what fails is said by environment variables.
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static long said(const char *name, long otherwise) { const char *text = getenv(name); return text ? atol(text) : otherwise; }

static long launches;
// Once a card is lost every call says so.
static int state(void) { return launches > said("FAKE_LAUNCHES", 1L << 40) ? 719 : 0; }

int cuGetErrorName(int error, const char **text)
{
    *text = error == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : error == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_OTHER";
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
    *value = attribute == 75 ? capability / 10 : attribute == 76 ? capability % 10 : attribute == 97 ? 166912 : 108;
    return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = &launches; return 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
int cuCtxSetCurrent(void *context) { return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total)
{
    *free = (size_t)said("FAKE_FREE_MIB", 1024) << 20;
    *total = (size_t)4096 << 20;
    return 0;
}
int cuMemAlloc_v2(void **address, size_t bytes)
{
    if (said("FAKE_ALLOC", 0))
        return said("FAKE_ALLOC", 0);
    return posix_memalign(address, 256, bytes) ? 2 : 0;
}
int cuMemFree_v2(void *address) { free(address); return 0; }
int cuMemHostAlloc(void **address, size_t bytes, unsigned flags) { *address = malloc(bytes); return 0; }
int cuMemFreeHost(void *address) { free(address); return 0; }
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, void *stream) { memcpy(to, from, bytes); return state(); }
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, void *stream) { memcpy(to, from, bytes); return state(); }
int cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t bytes, void *stream) { memmove(to, from, bytes); return state(); }
int cuMemsetD8Async(void *to, unsigned char value, size_t bytes, void *stream) { memset(to, value, bytes); return state(); }
int cuStreamCreate(void **stream, unsigned flags) { *stream = &launches; return 0; }
int cuStreamDestroy_v2(void *stream) { return 0; }
int cuStreamSynchronize(void *stream) { return state(); }
int cuEventCreate(void **created, unsigned flags) { *created = &launches; return 0; }
int cuEventDestroy_v2(void *ended) { return 0; }
int cuEventRecord(void *recorded, void *stream) { return state(); }
int cuEventSynchronize(void *awaited) { return state(); }
int cuModuleLoadDataEx(void **module, const char *text, unsigned count, int *names, void **values)
{
    *module = &launches;
    // Hopper's own instructions are of its capability alone.
    int hopper = said("FAKE_CAPABILITY", 80) == 90 && said("FAKE_VERSION", 12040) >= 12000;
    int result = strstr(text, ".target sm_90a") && !hopper ? 209 : said("FAKE_LOAD", 0);
    if (result == 222)
        strcpy(values[0], "ptxas fatal: Unsupported .version 7.8; current version is '7.4'");
    return result;
}
int cuModuleUnload(void *module) { return 0; }
int cuModuleGetFunction(void **function, void *module, const char *name) { *function = &launches; return 0; }
int cuFuncSetAttribute(void *function, int attribute, int value) { return 0; }
int cuLaunchKernel(void *function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threadsY, unsigned threadsZ,
    unsigned shared, void *stream, void **parameters, void **extra)
{
    launches++;
    return state();
}
