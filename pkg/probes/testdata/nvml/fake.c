// A fake NVML for tests. FAKE_NVML selects its behaviour; OLD omits the functions that old
// drivers lack, BARE omits all.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, SHORT = 7, LIBRARY_NOT_FOUND = 12, LOST = 15, RESET = 16, BLOCKED = 17, UNKNOWN = 999 };

static int is(const char *mode) {
	const char *m = getenv("FAKE_NVML");
	return m && !strcmp(m, mode);
}

// Handles are numbers: GPUs from 1, MIG devices from 100.
static long number(void *handle) { return (long)handle; }
static int slice(void *handle) { return number(handle) >= 100; }

#ifdef BARE
int nvmlSomething(void) { return OK; }
#else

int nvmlInit_v2(void) {
	const char *m = getenv("FAKE_NVML");
	if (m && !strncmp(m, "init ", 5)) return atoi(m + 5);
	if (is("segfault")) raise(SIGSEGV);
	if (is("exit")) _exit(0);
	if (is("sleep")) for (;;) sleep(60);
	if (is("chatter")) for (int i = 0; i < 1000000; i++) puts("{\"state\": \"ok\"} chatter");
	if (is("flood")) for (;;) puts("flood");
	return OK;
}

int nvmlSystemGetDriverVersion(char *s, unsigned n) {
	snprintf(s, n, "535.183.01");
	return OK;
}

int nvmlDeviceGetCount_v2(unsigned *n) {
	*n = is("eight") ? 8 : is("none") ? 0 : is("lost") ? 3 : 1;
	return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **handle) {
	*handle = (void *)(long)(i + 1);
	return is("lost") && i == 1 ? LOST : is("foreign") ? NO_PERMISSION : OK;
}

int nvmlDeviceGetName(void *h, char *s, unsigned n) {
	if (is("garbage")) {
		memset(s, 0xfe, n); // not terminated
		memcpy(s, "GeF\x1b[31morce\xff\n", 15);
		return OK;
	}
	snprintf(s, n, "NVIDIA H100 80GB HBM3%s", !slice(h) ? "" : number(h) == 100 ? " MIG 3g.40gb" : " MIG 1g.10gb");
	return OK;
}

int nvmlDeviceGetMemoryInfo(void *h, unsigned long long m[3]) {
	if (is("integrated") || is("mig")) return NOT_SUPPORTED;
	m[0] = 81559ULL << 20, m[1] = 81000ULL << 20, m[2] = 559ULL << 20;
	return OK;
}

#ifndef OLD

int nvmlSystemGetCudaDriverVersion_v2(int *v) {
	*v = 12020;
	return is("nolibcuda") ? LIBRARY_NOT_FOUND : OK;
}

int nvmlDeviceGetUUID(void *h, char *s, unsigned n) {
	if (is("garbage")) {
		memset(s, 'x', n);
		return OK;
	}
	snprintf(s, n, "%s-%ld", slice(h) ? "MIG" : "GPU", number(h));
	return OK;
}

struct pci {
	char legacy[16];
	unsigned domain, bus, device, id, subsystem;
	char bus_id[32];
};

int nvmlDeviceGetPciInfo_v3(void *h, struct pci *p) {
	memset(p, is("garbage") ? 0xff : 0, sizeof *p);
	if (!is("garbage")) snprintf(p->bus_id, sizeof p->bus_id, "00000000:%02lX:00.0", 0x18 + number(h));
	return OK;
}

struct memory {
	unsigned version;
	unsigned long long total, reserved, free, used;
};

int nvmlDeviceGetMemoryInfo_v2(void *h, struct memory *m) {
	if (is("integrated")) return NOT_SUPPORTED;
	if (is("lost") && number(h) == 3) return LOST;
	if (is("mig") && !slice(h)) return NO_PERMISSION;
	if (is("mig") && number(h) == 101) return NOT_SUPPORTED; // its attributes have it
	m->total = slice(h) ? 40320ULL << 20 : 81559ULL << 20;
	m->used = 4ULL << 20;
	if (is("garbage")) m->total = m->used = ~0ULL;
	return OK;
}

int nvmlDeviceGetCudaComputeCapability(void *h, int *major, int *minor) {
	*major = 9, *minor = 0;
	return OK;
}

struct process {
	unsigned pid;
	unsigned long long used;
	unsigned gi, ci;
};

int nvmlDeviceGetComputeRunningProcesses_v3(void *h, unsigned *n, struct process *p) {
	if (is("mig")) return NO_PERMISSION;
	if (is("unsure")) return UNKNOWN;
	if (is("reset")) return RESET;
	unsigned have = *n;
	*n = 3;
	if (have < 3) return SHORT;
	memset(p, 0, 3 * sizeof *p);
	return OK;
}

int nvmlDeviceGetMigMode(void *h, unsigned *current, unsigned *pending) {
	if (is("eight")) return NOT_SUPPORTED;
	if (is("unsure")) return BLOCKED;
	*current = *pending = is("mig");
	return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(void *h, unsigned *n) {
	*n = 7;
	return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *h, unsigned i, void **handle) {
	if (i != 0 && i != 2) return NOT_FOUND;
	*handle = (void *)(long)(100 + i / 2);
	return OK;
}

struct attributes {
	unsigned sm, copy, decoder, encoder, jpeg, ofa, gi_slices, ci_slices;
	unsigned long long memory_mib;
};

int nvmlDeviceGetAttributes_v2(void *h, struct attributes *a) {
	memset(a, 0, sizeof *a);
	a->gi_slices = 1, a->memory_mib = 9728;
	return OK;
}

#endif
#endif
