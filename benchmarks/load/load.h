/* load: an epoll load generator that speaks Socket.IO (Engine.IO v4, over WebSocket or long-polling).
 *
 * One thread, one process, no queue of its own: what it cannot read in time waits in the kernel, and it says how busy it
 * was. It believes nothing: every event is checked for its place and its content, every acknowledgement for its
 * question, and a connection that the server ends is the end of the run.
 *
 *   main.c       options, and one line of JSON at the end
 *   workloads.c  what the clients do: fanout, stalled, echo, rooms, storm, churn, hold
 *   beside.c     what they do while one keeps the server busy: fairness, flood
 *   cluster.c    what they do on two servers with a Redis: relay, pace, calm
 *   client.c     a client: Engine.IO and Socket.IO packets
 *   websocket.c  its frames, compressed or not
 *   polling.c    its requests
 *   net.c        its connections, plain or TLS
 *   meter.c      clocks, the server's CPU and memory, latencies
 */
#ifndef LOAD_H
#define LOAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* -- options (main.c) */

typedef struct {
    const char *mode, *transport, *auth;
    int port, pid, other_port, other_pid, redis_pid, clients, stalled, window, size, dialing, group, tls, deflate;
    double seconds, warmup, hold, limit, deadline;
} options;
extern options opt;

/* -- connections (net.c) */

typedef struct { char *data; size_t len, cap; } buffer;
void buffer_put(buffer *, const void *data, size_t n);
void buffer_drop(buffer *, size_t n);
void buffer_free(buffer *);

typedef struct client client;
typedef struct {
    int fd;                  /* 0: none */
    bool dialing, shaking;   /* TCP, then TLS, not there yet */
    uint32_t interest;       /* what epoll watches */
    void *tls;
    buffer in, out;          /* received and not yet parsed; not yet taken by the kernel */
    client *owner;
} conn;

void net_start(void);
void net_poll(int milliseconds);
void conn_dial(conn *, client *owner, int place);
void conn_flush(conn *);
void conn_neglect(conn *);
void conn_close(conn *);

/* -- clients (client.c, websocket.c, polling.c) */

enum { FREE, DIALING, OPENING, JOINING, JOINED };

struct client {
    int state;
    conn down;               /* the WebSocket; or the connection of the polls */
    conn up;                 /* the connection of the POSTs */
    char sid[64];
    buffer queue;            /* packets for the next POST */
    bool posting;
    bool upgraded;           /* whether the 101 has come */
    bool stalls;             /* whether it is about to read nothing */
    double since;            /* when it dialled */
    long sent, heard;        /* what it said; what it heard in answer */
    double *asked;           /* echo: when each open question was put */
    long first, last, welcome, came, went;  /* news: numbers heard, and how often */
};

extern client *clients;
extern long dialled, answered, joined, pings;
extern void (*on_event)(client *, const char *text, size_t n);
extern void (*on_ack)(client *, long id, const char *text, size_t n);

void clients_start(int n);
void client_dial(client *);
void client_send(client *, const char *packet, size_t n);
void client_flush(client *);
void client_hang_up(client *);
void client_packet(client *, const char *packet, size_t n);
/* What net.c tells: each returns or does what the transport makes of it. */
void client_connected(conn *);
size_t client_received(conn *, char *data, size_t n);
void client_closed(conn *, const char *why);

void ws_open(conn *);
void ws_put(conn *, int opcode, const char *data, size_t n);
size_t ws_received(client *, char *data, size_t n);

void poll_connected(conn *);
void poll_post(client *);
size_t poll_received(conn *, const char *data, size_t n);

/* -- measuring (meter.c) */

typedef struct { double seconds, cpu, own_cpu, redis_cpu, all_cpu; } reading;
double now(void);
long server_rss(void);
void meter_start(void);
reading meter_stop(void);
void note_latency(double seconds);
double latency_ms(double quantile);

/* -- the rest */

typedef struct { bool done; long said, delivered; reading cost; long rss; } result;
result workload_run(void);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
