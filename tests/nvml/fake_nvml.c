/* A stand-in for libnvidia-ml.so.1: the functions that perfgate calls, and nothing else.
 *
 * FAKE_NVML_GPUS   how many GPUs there are (default 1)
 * FAKE_NVML_THROTTLE       the bits of what holds clocks down (default 0)
 * FAKE_NVML_NEW_PROCESSES  how many processes come after the first sample (default 0); one is always there
 * FAKE_NVML_PROCESSES      a file with the ids of the processes on every GPU, read anew each time; in place of those
 * FAKE_NVML_FAIL   which call fails: `init`, `memory`, `utilization`, `state`: power, clocks, temperature and energy, or
 *                  `permission`: power, memory errors and processes are not for everybody
 * FAKE_NVML_ERRORS_AFTER   after how many samples GPU 0 has 2 memory errors that it could not correct (default: never)
 * FAKE_NVML_MIG            how many MIG instances GPU 0 is divided into (default 0: it is not); every second place is empty
 * FAKE_NVML_USED_MIB       how much memory every GPU uses, all the time; in place of the below
 * FAKE_NVML_POWER_LIMIT_W  what every GPU may draw at most (default 700)
 * FAKE_NVML_LOST_AFTER     after how many samples a GPU has fallen off the bus (default: never)
 *
 * Compiled with OLD_DRIVER it lacks what older libraries lack: utilisation, memory errors, MIG, throttling, processes.
 *
 * GPU i uses (i + 1) * 1000 MiB, and 500 MiB more in the first sample alone; its utilisation is 90, that of the others 30. It draws
 * 300 + 100 * i W, which its energy counter follows, at 1980 MHz, 2619 MHz for its memory, and 61 °C. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OK = 0, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15, WRONG_VERSION = 25, MOST = 8 };

static unsigned samples[MOST];

static int fails(const char *call) {
    const char *failing = getenv("FAKE_NVML_FAIL");
    return failing && strcmp(failing, call) == 0;
}

static unsigned gpus(void) {
    const char *count = getenv("FAKE_NVML_GPUS");
    unsigned parsed = count ? (unsigned)atoi(count) : 1;
    return parsed < MOST ? parsed : MOST;
}

/* Handles are 1, 2, …: a null handle is never valid; those of the MIG instances of GPU 0 are 101, 102, … */
enum { INSTANCES = 101 };
static unsigned is_instance(void *device) { return (size_t)device >= INSTANCES; }
static unsigned index_of(void *device) { return is_instance(device) ? 0 : (unsigned)(size_t)device - 1; }

#ifndef OLD_DRIVER
static unsigned mig_instances(void) {
    const char *count = getenv("FAKE_NVML_MIG");
    return count ? (unsigned)atoi(count) : 0;
}

/* Whether a GPU, or what an instance is part of, is divided. */
static unsigned is_divided(void *device) { return mig_instances() > 0 && index_of(device) == 0; }
#endif

int nvmlInit_v2(void) { return fails("init") ? DRIVER_NOT_LOADED : OK; }
int nvmlShutdown(void) { return OK; }

int nvmlSystemGetDriverVersion(char *text, unsigned length) {
    snprintf(text, length, "570.148.08");
    return OK;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    *version = 12080;
    return OK;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = gpus();
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    if (index >= gpus()) return INVALID_ARGUMENT;
    *device = (void *)(size_t)(index + 1);
    return OK;
}

int nvmlDeviceGetName(void *device, char *text, unsigned length) {
    snprintf(text, length, is_instance(device) ? "NVIDIA H100 80GB HBM3 MIG 1g.10gb" : "NVIDIA H100 80GB HBM3");
    return OK;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned length) {
    if (is_instance(device)) {
        snprintf(text, length, "MIG-%08u-fake", (unsigned)(size_t)device - INSTANCES);
    } else {
        snprintf(text, length, "GPU-%08u-fake", index_of(device));
    }
    return OK;
}

struct memory {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

int nvmlDeviceGetMemoryInfo_v2(void *device, struct memory *memory) {
    unsigned index = index_of(device);
    if (fails("memory")) return NOT_SUPPORTED;
    const char *lost_after = getenv("FAKE_NVML_LOST_AFTER");
    if (lost_after && samples[index] >= (unsigned)atoi(lost_after)) return GPU_IS_LOST;
    if (memory->version != (sizeof(struct memory) | (2u << 24))) return WRONG_VERSION;
    unsigned long long used_mib = (index + 1) * 1000ull + (samples[index]++ == 0 ? 500 : 0);
    if (is_instance(device)) used_mib = 100 * ((unsigned)(size_t)device - INSTANCES + 1);
    const char *full = getenv("FAKE_NVML_USED_MIB");
    if (full) used_mib = strtoull(full, NULL, 10);
    memory->total = 81559ull << 20;
    memory->reserved = 551ull << 20;
    memory->used = used_mib << 20;
    memory->free = memory->total - memory->used - memory->reserved;
    return OK;
}

#ifndef OLD_DRIVER
struct utilization {
    unsigned gpu, memory;
};

int nvmlDeviceGetUtilizationRates(void *device, struct utilization *utilization) {
    if (fails("utilization") || is_divided(device)) return NOT_SUPPORTED;
    utilization->gpu = index_of(device) ? 30 : 90;
    utilization->memory = 55;
    return OK;
}

int nvmlDeviceGetTotalEccErrors(void *device, unsigned error, unsigned counter, unsigned long long *count) {
    const char *after = getenv("FAKE_NVML_ERRORS_AFTER");
    if (fails("permission")) return NO_PERMISSION;
    if (is_instance(device)) return NOT_SUPPORTED;
    if (error != 1 || counter != 0) return INVALID_ARGUMENT;
    *count = after && index_of(device) == 0 && samples[0] > (unsigned)atoi(after) ? 2 : 0;
    return OK;
}

int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
    *current = *pending = is_divided(device);
    return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count) {
    *count = is_divided(device) ? 2 * mig_instances() : 0;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned place, void **instance) {
    if (!is_divided(device) || place >= 2 * mig_instances()) return INVALID_ARGUMENT;
    if (place % 2) return NOT_FOUND;
    *instance = (void *)(size_t)(INSTANCES + place / 2);
    return OK;
}

int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *instance, void **device) {
    if (!is_instance(instance)) return INVALID_ARGUMENT;
    *device = (void *)(size_t)1;
    return OK;
}
#endif

static unsigned power_w(void *device) { return 300 + 100 * index_of(device); }

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
    if (fails("permission")) return NO_PERMISSION;
    if (fails("state") || is_instance(device)) return NOT_SUPPORTED;
    *milliwatts = 1000 * power_w(device);
    return OK;
}

int nvmlDeviceGetEnforcedPowerLimit(void *device, unsigned *milliwatts) {
    (void)device;
    const char *watts = getenv("FAKE_NVML_POWER_LIMIT_W");
    if (fails("state")) return NOT_SUPPORTED;
    *milliwatts = 1000 * (watts ? (unsigned)atoi(watts) : 700);
    return OK;
}

int nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *millijoules) {
    struct timespec now;
    if (fails("state")) return NOT_SUPPORTED;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *millijoules = (now.tv_sec * 1000ull + now.tv_nsec / 1000000) * power_w(device);
    return OK;
}

int nvmlDeviceGetClockInfo(void *device, unsigned type, unsigned *mhz) {
    (void)device;
    if (fails("state")) return NOT_SUPPORTED;
    *mhz = type == 2 ? 2619 : 1980;
    return OK;
}

int nvmlDeviceGetTemperature(void *device, unsigned sensor, unsigned *celsius) {
    (void)device, (void)sensor;
    if (fails("state")) return NOT_SUPPORTED;
    *celsius = 61;
    return OK;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons) {
    (void)device;
    const char *bits = getenv("FAKE_NVML_THROTTLE");
    *reasons = bits ? strtoull(bits, NULL, 0) : 0;
    return OK;
}

struct process {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance, compute_instance;
};

enum { INSUFFICIENT_SIZE = 7 };

static int listed_processes(const char *name, unsigned *count, struct process *processes) {
    unsigned pid, all = 0, room = processes ? *count : 0;
    FILE *file = fopen(name, "r");
    while (file && fscanf(file, "%u", &pid) == 1) {
        if (all < room) {
            memset(&processes[all], 0, sizeof processes[all]);
            processes[all].pid = pid;
        }
        all++;
    }
    if (file) fclose(file);
    *count = all;
    return all > room ? INSUFFICIENT_SIZE : OK;
}

/* Process 100 is there from the start, 101, 102, … come after the first sample. */
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, struct process *processes) {
    const char *listed = getenv("FAKE_NVML_PROCESSES");
    if (fails("permission")) return NO_PERMISSION;
    if (listed) return listed_processes(listed, count, processes);
    const char *fresh = getenv("FAKE_NVML_NEW_PROCESSES");
    unsigned all = 1 + (fresh && samples[index_of(device)] > 1 ? (unsigned)atoi(fresh) : 0);
    if (!processes || *count < all) {
        *count = all;
        return INSUFFICIENT_SIZE;
    }
    for (unsigned i = 0; i < all; i++) {
        memset(&processes[i], 0, sizeof processes[i]);
        processes[i].pid = 100 + i;
    }
    *count = all;
    return OK;
}
#endif
