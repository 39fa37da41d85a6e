/* Options, and one line of JSON at the end. */
#define _GNU_SOURCE
#include "load.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

options opt = { .mode = "fanout", .transport = "websocket", .auth = "", .clients = 100, .window = 8, .size = 16,
                .dialing = 100, .group = 10, .seconds = 2, .warmup = 0.5, .hold = 15, .limit = 60, .deadline = 120 };

static const struct { const char *name; char kind; void *value; const char *help; } table[] = {
    { "mode", 's', &opt.mode, "fanout, stalled, echo, rooms, storm, churn, hold, fairness, flood, relay, pace or calm" },
    { "transport", 's', &opt.transport, "websocket or polling" },
    { "auth", 's', &opt.auth, "JSON that goes with CONNECT" },
    { "port", 'i', &opt.port, "of the server, on 127.0.0.1" },
    { "pid", 'i', &opt.pid, "of the server, whose CPU and memory are read" },
    { "other_port", 'i', &opt.other_port, "of a second server, to which all but the first client connect" },
    { "other_pid", 'i', &opt.other_pid, "of the second server, whose CPU is added" },
    { "redis_pid", 'i', &opt.redis_pid, "of their Redis, whose CPU is told apart" },
    { "tls", 'i', &opt.tls, "1: encrypt, and believe any certificate" },
    { "deflate", 'i', &opt.deflate, "offer compression; expect messages of so many bytes and more to be compressed" },
    { "clients", 'i', &opt.clients, "how many stay" },
    { "stalled", 'i', &opt.stalled, "stalled: how many join before them, and read nothing from then on" },
    { "window", 'i', &opt.window, "events open at once (echo: of each client); churn: visitors at once" },
    { "size", 'i', &opt.size, "bytes of the text of a message" },
    { "dialing", 'i', &opt.dialing, "handshakes at once" },
    { "group", 'i', &opt.group, "rooms: clients in each" },
    { "seconds", 'd', &opt.seconds, "how long is spoken" },
    { "warmup", 'd', &opt.warmup, "how long before that counts" },
    { "hold", 'd', &opt.hold, "hold: how long" },
    { "limit", 'd', &opt.limit, "storm: after how long it is given up" },
    { "deadline", 'd', &opt.deadline, "after how long the run is an error" },
};

void die(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static _Noreturn void usage(void) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) fprintf(stderr, "  --%-10s %s\n", table[i].name, table[i].help);
    exit(2);
}

static void set(const char *name, const char *value) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(name, table[i].name)) continue;
        if (table[i].kind == 's') *(const char **)table[i].value = value;
        else if (table[i].kind == 'i') *(int *)table[i].value = atoi(value);
        else *(double *)table[i].value = atof(value);
        return;
    }
    usage();
}

static void read_options(int argc, char **argv) {
    for (int i = 1; i < argc; i += 2) {
        if (strncmp(argv[i], "--", 2) || i + 1 == argc) usage();
        set(argv[i] + 2, argv[i + 1]);
    }
    if (!opt.port || !opt.pid || opt.clients < 1 || opt.window < 1) usage();
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    alarm(opt.deadline + 10); /* whatever happens, it ends */
    net_start();
    clients_start(opt.stalled + opt.clients + opt.window);
    result r = workload_run();
    printf("{\"done\":%s,\"said\":%ld,\"delivered\":%ld,\"seconds\":%.6f,\"cpu\":%.3f,\"own_cpu\":%.6f,\"redis_cpu\":%.3f,\"all_cpu\":%.3f,\"rss\":%ld,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"worst_ms\":%.3f}\n",
           r.done ? "true" : "false", r.said, r.delivered, r.cost.seconds, r.cost.cpu, r.cost.own_cpu, r.cost.redis_cpu, r.cost.all_cpu, r.rss,
           latency_ms(.5), latency_ms(.99), latency_ms(1));
    return 0;
}
