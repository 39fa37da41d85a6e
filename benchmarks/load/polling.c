/* A client's requests: one GET is always under way, and one POST at most, on two connections that are kept alive, as
 * browsers have it. Packets in one body are separated by 0x1e.
 */
#define _GNU_SOURCE
#include "load.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SEPARATOR = 0x1e };

static void put_request(conn *c, const char *method, const char *sid, const buffer *body) {
    char head[512];
    int n = snprintf(head, sizeof head, "%s /socket.io/?EIO=4&transport=polling%s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n",
                     method, *sid ? "&sid=" : "", sid, opt.port);
    if (body) n += snprintf(head + n, sizeof head - n, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %zu\r\n",
                            body->len);
    n += snprintf(head + n, sizeof head - n, "\r\n");
    buffer_put(&c->out, head, n);
    if (body) buffer_put(&c->out, body->data, body->len);
}

static void get(client *c) {
    put_request(&c->down, "GET", c->sid, NULL);
    conn_flush(&c->down);
}

void poll_connected(conn *c) {
    if (c == &c->owner->down) put_request(c, "GET", "", NULL);
}

void poll_post(client *c) {
    if (c->posting || !c->queue.len) return;
    if (!c->up.fd) conn_dial(&c->up, c, c - clients);
    c->posting = true;
    put_request(&c->up, "POST", c->sid, &c->queue);
    c->queue.len = 0;
    conn_flush(&c->up);
}

/* -- answers */

static const char *header(const char *head, const char *end, const char *name) {
    size_t n = strlen(name);
    for (const char *line = head; line && line < end; line = memmem(line, end - line, "\r\n", 2)) {
        if (*line == '\r') line += 2;
        if (end - line > (long)n && !strncasecmp(line, name, n)) return line + n;
    }
    return NULL;
}

/* Put the pieces of a chunked body together in `body`; return where it ends, NULL where the end has not come. */
static const char *join_chunks(const char *at, const char *end, buffer *body) {
    body->len = 0;
    for (;;) {
        const char *line = memmem(at, end - at, "\r\n", 2);
        if (!line) return NULL;
        long size = strtol(at, NULL, 16);
        at = line + 2;
        if (end - at < size + 2) return NULL;
        buffer_put(body, at, size);
        at += size + 2;
        if (!size) return at;
    }
}

static void take_payload(client *c, const char *data, size_t n) {
    const char *end = data + n;
    while (data < end) {
        const char *stop = memchr(data, SEPARATOR, end - data);
        if (!stop) stop = end;
        client_packet(c, data, stop - data);
        data = stop + 1;
    }
}

static void take_answer(conn *c, const char *body, size_t n) {
    client *owner = c->owner;
    if (c == &owner->up) {
        if (n != 2 || strncasecmp(body, "ok", 2)) die("a POST was answered %.*s", (int)n, body);
        owner->posting = false;
        poll_post(owner);
        return;
    }
    if (!*owner->sid) answered++;
    take_payload(owner, body, n);
    client_flush(owner);
    get(owner);
}

/* Take one whole answer; return how many bytes it was. No more comes before the next request. */
size_t poll_received(conn *c, const char *data, size_t n) {
    static buffer joined_chunks;
    const char *end = data + n, *head_end = memmem(data, n, "\r\n\r\n", 4);
    if (!head_end) return 0;
    const char *body = head_end + 4, *length = header(data, head_end, "Content-Length:");
    if (memcmp(data, "HTTP/1.1 200", 12)) die("a request was refused: %.*s", (int)(n < 400 ? n : 400), data);
    if (length) {
        long size = atol(length);
        if (end - body < size) return 0;
        take_answer(c, body, size);
        return body + size - data;
    }
    const char *stop = join_chunks(body, end, &joined_chunks);
    if (!stop) return 0;
    take_answer(c, joined_chunks.data, joined_chunks.len);
    return stop - data;
}
