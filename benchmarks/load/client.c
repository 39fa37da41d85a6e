/* A client: what it makes of Engine.IO and Socket.IO packets, over either transport. */
#define _GNU_SOURCE
#include "load.h"
#include <stdlib.h>
#include <string.h>

client *clients;
long dialled, answered, joined, pings;
static bool polling;

static void ignore_event(client *c, const char *text, size_t n) { (void)c, (void)text, (void)n; }
static void ignore_ack(client *c, long id, const char *text, size_t n) { (void)c, (void)id, (void)text, (void)n; }
void (*on_event)(client *, const char *, size_t) = ignore_event;
void (*on_ack)(client *, long, const char *, size_t) = ignore_ack;

void clients_start(int n) {
    polling = !strcmp(opt.transport, "polling");
    clients = calloc(n, sizeof *clients);
    if (!clients) die("out of memory");
}

void client_dial(client *c) {
    c->state = DIALING;
    c->since = now();
    c->upgraded = c->posting = false;
    *c->sid = 0;
    dialled++;
    conn_dial(&c->down, c, c - clients);
}

void client_send(client *c, const char *packet, size_t n) {
    if (!polling) {
        ws_put(&c->down, 1, packet, n);
        return;
    }
    if (c->queue.len) buffer_put(&c->queue, "\x1e", 1);
    buffer_put(&c->queue, packet, n);
}

void client_flush(client *c) {
    if (polling) poll_post(c);
    else conn_flush(&c->down);
}

void client_hang_up(client *c) {
    conn_close(&c->down);
    conn_close(&c->up);
    buffer_free(&c->queue);
    free(c->asked);
    *c = (client){0};
}

/* -- what net.c tells */

void client_connected(conn *c) {
    if (c == &c->owner->down) c->owner->state = OPENING;
    if (polling) poll_connected(c);
    else ws_open(c);
}

size_t client_received(conn *c, char *data, size_t n) {
    return polling ? poll_received(c, data, n) : ws_received(c->owner, data, n);
}

/* A server may close an HTTP connection on which no request is under way; nothing else. */
void client_closed(conn *c, const char *why) {
    client *owner = c->owner;
    if (c == &owner->up && !owner->posting) conn_close(c);
    else die("the server %s the connection of client %ld", why, (long)(owner - clients));
}

/* -- packets */

static void keep_sid(client *c, const char *text, size_t n) {
    const char *at = memmem(text, n, "\"sid\":\"", 7), *end = at ? memchr(at + 7, '"', text + n - at - 7) : NULL;
    if (!end || (size_t)(end - at - 7) >= sizeof c->sid) die("an opening without a sid: %.*s", (int)n, text);
    *(char *)mempcpy(c->sid, at + 7, end - at - 7) = 0;
}

static void opened(client *c, const char *text, size_t n) {
    buffer packet = {0};
    keep_sid(c, text, n);
    c->state = JOINING;
    buffer_put(&packet, "40", 2);
    buffer_put(&packet, opt.auth, strlen(opt.auth));
    client_send(c, packet.data, packet.len);
    buffer_free(&packet);
}

static void admitted(client *c, const char *text, size_t n) {
    if (strstr(opt.auth, "\"recovery\"") && !memmem(text, n, "\"pid\"", 5)) die("recovery was asked for and not granted");
    c->state = JOINED;
    joined++;
}

static void message(client *c, const char *text, size_t n) {
    char *rest;
    switch (*text) {
    case '0': admitted(c, text + 1, n - 1); break;
    case '2': on_event(c, text + 1, n - 1); break;
    case '3': {
        long id = strtol(text + 1, &rest, 10);
        on_ack(c, id, rest, n - (rest - text));
        break;
    }
    default: die("the server sent %.*s", (int)(n < 200 ? n : 200), text);
    }
}

void client_packet(client *c, const char *packet, size_t n) {
    switch (*packet) {
    case '0': opened(c, packet + 1, n - 1); break;
    case '2': pings++, client_send(c, "3", 1); break;
    case '4': message(c, packet + 1, n - 1); break;
    case '6': break;
    default: die("the server sent a client %.*s", (int)(n < 200 ? n : 200), packet);
    }
}
