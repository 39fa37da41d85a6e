/* Connections: non-blocking sockets under one epoll, plain or TLS. */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/ssl.h>
static SSL_CTX *tls_context;
#endif

enum { CHUNK = 1 << 17, BATCH = 512, KEEP = 1 << 18, CLIENTS_AN_ADDRESS = 20000 };
enum { AGAIN = -1, GONE = -2 };
static int epoll;

/* -- buffers */

static void buffer_reserve(buffer *b, size_t n) {
    if (b->len + n <= b->cap) return;
    b->cap = (b->len + n) * 2 + 256;
    b->data = realloc(b->data, b->cap);
    if (!b->data) die("out of memory");
}

void buffer_put(buffer *b, const void *data, size_t n) {
    if (!n) return;
    buffer_reserve(b, n);
    memcpy(b->data + b->len, data, n);
    b->len += n;
}

void buffer_drop(buffer *b, size_t n) {
    b->len -= n;
    if (b->len) memmove(b->data, b->data + n, b->len);
    else if (b->cap > KEEP) buffer_free(b);
}

void buffer_free(buffer *b) {
    free(b->data);
    *b = (buffer){0};
}

/* -- bytes, in the clear or encrypted: a count, AGAIN or GONE */

#ifdef WITH_TLS
static ssize_t tls_outcome(conn *c, int n) {
    if (n > 0) return n;
    int error = SSL_get_error(c->tls, n);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? AGAIN : GONE;
}

static void tls_shake(conn *c) {
    if (!c->tls) {
        c->tls = SSL_new(tls_context);
        SSL_set_fd(c->tls, c->fd);
    }
    c->shaking = tls_outcome(c, SSL_connect(c->tls)) != 1;
}
#endif

static ssize_t bytes_in(conn *c, char *data, size_t n) {
#ifdef WITH_TLS
    if (c->tls) return tls_outcome(c, SSL_read(c->tls, data, n));
#endif
    ssize_t got = recv(c->fd, data, n, 0);
    return got > 0 ? got : got < 0 && errno == EAGAIN ? AGAIN : GONE;
}

static ssize_t bytes_out(conn *c, const char *data, size_t n) {
#ifdef WITH_TLS
    if (c->tls) return tls_outcome(c, SSL_write(c->tls, data, n));
#endif
    ssize_t sent = send(c->fd, data, n, MSG_NOSIGNAL);
    return sent >= 0 ? sent : errno == EAGAIN ? AGAIN : GONE;
}

/* -- connections */

static void watch(conn *c) {
    uint32_t interest = EPOLLIN | (c->dialing || c->out.len ? EPOLLOUT : 0);
    if (interest == c->interest) return;
    struct epoll_event event = { .events = interest, .data.ptr = c };
    epoll_ctl(epoll, c->interest ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
    c->interest = interest;
}

/* Loopback has many addresses, and each has its own 28,000 ports. */
static void bind_to_address(int fd, int place) {
    int one = 1;
    struct sockaddr_in source = { .sin_family = AF_INET };
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + place / CLIENTS_AN_ADDRESS);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    bind(fd, (void *)&source, sizeof source);
}

/* The kernel holds little for it at either end: as much as for a client behind an Ethernet, and not loopback's megabytes. */
static void narrow(int fd) {
    int buffer = 4096, segment = 1460;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
}

void conn_dial(conn *c, client *owner, int place) {
    struct sockaddr_in server = { .sin_family = AF_INET, .sin_port = htons(place && opt.other_port ? opt.other_port : opt.port) };
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) die("socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (owner->stalls) narrow(fd);
    bind_to_address(fd, place);
    *c = (conn){ .fd = fd, .dialing = true, .owner = owner, .in = c->in, .out = c->out };
    c->in.len = c->out.len = 0;
    if (connect(fd, (void *)&server, sizeof server) < 0 && errno != EINPROGRESS) die("connect: %s", strerror(errno));
    watch(c);
}

void conn_flush(conn *c) {
    if (c->dialing || c->shaking) return;
    size_t done = 0;
    while (done < c->out.len) {
        ssize_t sent = bytes_out(c, c->out.data + done, c->out.len - done);
        if (sent < 0) break; /* reading finds out why */
        done += sent;
    }
    if (done) buffer_drop(&c->out, done);
    watch(c);
}

/* Keep it open, and read nothing from it any more; not even that the server has closed it. */
void conn_neglect(conn *c) {
    epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
    c->interest = 0;
}

void conn_close(conn *c) {
#ifdef WITH_TLS
    if (c->tls) SSL_free(c->tls);
#endif
    if (c->fd) close(c->fd);
    buffer_free(&c->in);
    buffer_free(&c->out);
    *c = (conn){0};
}

static void connected(conn *c) {
    int error = 0;
    socklen_t n = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &n);
    if (error) die("connect: %s", strerror(error));
    c->dialing = false;
    c->shaking = opt.tls;
    client_connected(c);
}

/* Read once, behind what is left of the last time, and parse there: in the memory that all share, where the rest is
 * small enough to be brought there. Return whether there may be more.
 */
static bool read_once(conn *c) {
    static char shared[2 * CHUNK];
    size_t left = c->in.len;
    bool fits = left <= CHUNK;
    if (!fits) buffer_reserve(&c->in, CHUNK);
    else if (left) memcpy(shared, c->in.data, left);
    char *data = fits ? shared : c->in.data;
    ssize_t n = bytes_in(c, data + left, CHUNK);
    if (n == GONE) client_closed(c, "closed");
    if (n < 0) return false;
    size_t size = left + n, used = client_received(c, data, size);
    c->in.len = fits ? 0 : size;
    if (fits) buffer_put(&c->in, data + used, size - used);
    else buffer_drop(&c->in, used);
    return true;
}

/* What TLS has decrypted, epoll does not know of. */
static void readable(conn *c) {
    while (read_once(c) && c->tls);
}

static void ready(conn *c, uint32_t events) {
    if (c->dialing && events & (EPOLLOUT | EPOLLERR)) connected(c);
#ifdef WITH_TLS
    if (c->shaking) tls_shake(c);
#endif
    if (!c->dialing && !c->shaking && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
    if (c->fd) {
        if (c->out.len) conn_flush(c);
        watch(c);
    }
}

void net_poll(int milliseconds) {
    struct epoll_event events[BATCH];
    int n = epoll_wait(epoll, events, BATCH, milliseconds);
    for (int i = 0; i < n; i++) {
        conn *c = events[i].data.ptr;
        if (c->fd) ready(c, events[i].events);
    }
}

void net_start(void) {
    epoll = epoll_create1(0);
#ifdef WITH_TLS
    tls_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                                      | SSL_MODE_RELEASE_BUFFERS);
#else
    if (opt.tls) die("built without OpenSSL: no TLS");
#endif
}
