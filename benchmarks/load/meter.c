/* Clocks: the wall's, the server's CPU time (user and system, all threads), our own, the whole machine's; latencies. */
#define _GNU_SOURCE
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static reading begun;
static float *latencies;
static size_t count, capacity;

double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* A line of /proc/PID/FILE that begins with `key`, without it. */
static void read_proc(int pid, const char *file, const char *key, char *line, int size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *f = fopen(path, "r");
    if (!f) die("the server is gone");
    while (fgets(line, size, f))
        if (!strncmp(line, key, strlen(key))) break;
    fclose(f);
}

/* What a process has used; 0 for none. */
static double cpu_of(int pid) {
    char line[2048];
    long user = 0, system = 0;
    if (!pid) return 0;
    read_proc(pid, "stat", "", line, sizeof line);
    char *after_name = strrchr(line, ')');
    if (!after_name || sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &system) != 2)
        die("the server is gone");
    return (user + system) / (double)sysconf(_SC_CLK_TCK);
}

long server_rss(void) {
    char line[256];
    long kilobytes = 0;
    read_proc(opt.pid, "status", "VmRSS:", line, sizeof line);
    sscanf(line, "VmRSS: %ld", &kilobytes);
    return kilobytes * 1024;
}

static double own_cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* What all processes used, and what the host of a virtual machine took away. */
static double all_cpu(void) {
    unsigned long long user = 0, nice = 0, system = 0, stolen = 0;
    FILE *f = fopen("/proc/stat", "r");
    if (!f || fscanf(f, "cpu %llu %llu %llu %*u %*u %*u %*u %llu", &user, &nice, &system, &stolen) != 4)
        die("/proc/stat cannot be read");
    fclose(f);
    return (user + nice + system + stolen) / (double)sysconf(_SC_CLK_TCK);
}

static reading read_clocks(void) {
    return (reading){ .seconds = now(), .cpu = cpu_of(opt.pid) + cpu_of(opt.other_pid), .own_cpu = own_cpu(),
                      .redis_cpu = cpu_of(opt.redis_pid), .all_cpu = all_cpu() };
}

void meter_start(void) {
    count = 0;
    begun = read_clocks();
}

reading meter_stop(void) {
    reading end = read_clocks();
    return (reading){ .seconds = end.seconds - begun.seconds, .cpu = end.cpu - begun.cpu,
                      .own_cpu = end.own_cpu - begun.own_cpu, .redis_cpu = end.redis_cpu - begun.redis_cpu,
                      .all_cpu = end.all_cpu - begun.all_cpu };
}

void note_latency(double seconds) {
    if (count == capacity) {
        capacity = capacity * 2 + 4096;
        latencies = realloc(latencies, capacity * sizeof *latencies);
        if (!latencies) die("out of memory");
    }
    latencies[count++] = seconds;
}

static int ascending(const void *a, const void *b) {
    float x = *(float *)a, y = *(float *)b;
    return (x > y) - (x < y);
}

double latency_ms(double quantile) {
    if (!count) return 0;
    qsort(latencies, count, sizeof *latencies, ascending);
    return 1e3 * latencies[(size_t)((count - 1) * quantile)];
}
