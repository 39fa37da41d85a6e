/* A client's WebSocket: one Engine.IO packet a frame (RFC 6455). */
#define _GNU_SOURCE
#include "load.h"
#include <stdio.h>
#include <string.h>
#ifdef WITH_DEFLATE
#include <zlib.h>
#endif

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10, RSV1 = 0x40, LARGEST = 1 << 17 };
static const char OFFER[] = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n";

void ws_open(conn *c) {
    char request[512];
    int n = snprintf(request, sizeof request,
                     "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", opt.port, opt.deflate ? OFFER : "");
    buffer_put(&c->out, request, n);
}

void ws_put(conn *c, int opcode, const char *data, size_t n) {
    static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    uint8_t head[14] = { 0x80 | opcode };
    int h = 2;
    if (n < 126) head[1] = 0x80 | n;
    else if (n < 65536) head[1] = 0x80 | 126, head[2] = n >> 8, head[3] = n, h = 4;
    else {
        head[1] = 0x80 | 127;
        for (; h < 10; h++) head[h] = (uint64_t)n >> (8 * (9 - h));
    }
    memcpy(head + h, mask, 4);
    buffer_put(&c->out, head, h + 4);
    size_t at = c->out.len;
    buffer_put(&c->out, data, n);
    for (size_t i = 0; i < n; i++) c->out.data[at + i] ^= mask[i & 3];
}

/* The answer to the handshake; how many bytes it has. */
static size_t read_answer(client *c, const char *data, size_t n) {
    const char *end = memmem(data, n, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(data, "HTTP/1.1 101", 12)) die("no upgrade: %.*s", (int)(n < 300 ? n : 300), data);
    if (opt.deflate && !memmem(data, end - data, "permessage-deflate", 18)) die("compression was offered and not agreed to");
    c->upgraded = true;
    answered++;
    return end + 4 - data;
}

#ifdef WITH_DEFLATE
static void inflate_into(buffer *text, const char *data, size_t n) {
    static z_stream z;
    static unsigned char out[LARGEST], tail[] = { 0, 0, 0xff, 0xff };
    if (z.state ? inflateReset(&z) : inflateInit2(&z, -MAX_WBITS)) die("zlib does not start");
    z.next_in = (unsigned char *)data, z.avail_in = n, z.next_out = out, z.avail_out = sizeof out;
    int outcome = inflate(&z, Z_SYNC_FLUSH);
    z.next_in = tail, z.avail_in = sizeof tail;
    if (outcome == Z_OK) outcome = inflate(&z, Z_SYNC_FLUSH);
    if (outcome != Z_OK || z.avail_in) die("a message of %zu bytes cannot be decompressed", n);
    text->len = 0;
    buffer_put(text, out, sizeof out - z.avail_out);
}

/* Decompress a message (RFC 7692 §7.2.2). What many clients are sent need not be decompressed for each. */
static const buffer *inflated(const char *data, size_t n) {
    static struct { buffer packed, text; } seen[512], *s;
    uint32_t hash = 0;
    for (size_t i = 0; i < n; i++) hash = hash * 31 + (uint8_t)data[i];
    s = &seen[hash % (sizeof seen / sizeof *seen)];
    if (s->packed.len != n || memcmp(s->packed.data, data, n)) {
        inflate_into(&s->text, data, n);
        s->packed.len = 0;
        buffer_put(&s->packed, data, n);
    }
    return &s->text;
}
#else
static const buffer *inflated(const char *data, size_t n) { (void)data, die("built without zlib: %zu bytes", n); }
#endif

/* The threshold counts the message without its type. */
static void take_message(client *c, bool compressed, const char *data, size_t n) {
    if (compressed) {
        const buffer *text = inflated(data, n);
        data = text->data, n = text->len;
    }
    if (compressed != (opt.deflate && n > (size_t)opt.deflate)) die("%zu bytes came %scompressed", n, compressed ? "" : "un");
    client_packet(c, data, n);
}

static void take_frame(client *c, const uint8_t *head, const char *data, size_t n) {
    int opcode = head[0] & 15;
    if (opcode == TEXT && n && head[0] & 0x80) take_message(c, head[0] & RSV1, data, n);
    else if (opcode == PING) pings++, ws_put(&c->down, PONG, data, n);
    else if (opcode == CLOSE && n >= 2) die("the server closed a client with %d", (uint8_t)data[0] << 8 | (uint8_t)data[1]);
    else if (opcode != PONG) die("a frame that is not expected: %02x %02x, %zu bytes", head[0], head[1], n);
}

/* Take all whole frames; return how many bytes they were. */
size_t ws_received(client *c, char *data, size_t n) {
    size_t used = c->upgraded ? 0 : read_answer(c, data, n);
    if (!c->upgraded) return 0;
    while (n - used >= 2) {
        const uint8_t *b = (uint8_t *)data + used;
        size_t head = 2, left = n - used;
        uint64_t length = b[1] & 127;
        if (length == 126) {
            if (left < (head = 4)) break;
            length = b[2] << 8 | b[3];
        } else if (length == 127) {
            if (left < (head = 10)) break;
            length = 0;
            for (int i = 2; i < 10; i++) length = length << 8 | b[i];
        }
        if (left < head + length) break;
        take_frame(c, b, data + used + head, length);
        used += head + length;
    }
    return used;
}
