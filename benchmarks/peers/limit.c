/* The floor: a C loop under epoll that knows just enough of the protocol to fan out and to echo, with one send() a client
 * a broadcast. It believes its clients, never sends a ping, and waits for a client whose socket is full.
 *
 *   PORT=4000 NEWS=1 ./limit
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 70000, CHUNK = 1 << 17, MESSAGE = 70000, BATCH = 256 };

static const char ANSWER[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
static const char OPENING[] = "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";

static struct { bool upgraded; int place; uint8_t *rest; size_t left; } client[CLIENTS]; /* by file descriptor */
static int live[CLIENTS], online;
static bool tells_news;

/* -- out */

static size_t frame(char *out, const char *text, size_t n) {
    size_t head = 2;
    out[0] = (char)0x81;
    if (n < 126) out[1] = n;
    else out[1] = 126, out[2] = n >> 8, out[3] = n, head = 4;
    memcpy(out + head, text, n);
    return head + n;
}

static void send_all(int fd, const char *data, size_t n) {
    for (ssize_t sent; n && (sent = send(fd, data, n, MSG_NOSIGNAL)) > 0; n -= sent) data += sent;
}

static void say(int fd, const char *text, size_t n) {
    char framed[MESSAGE];
    send_all(fd, framed, frame(framed, text, n));
}

static void broadcast(const char *text, size_t n) {
    char framed[MESSAGE];
    size_t size = frame(framed, text, n);
    for (int i = 0; i < online; i++) send_all(live[i], framed, size);
}

static void tell_news(const char *what) {
    char text[128];
    if (tells_news) broadcast(text, sprintf(text, "42[\"news\",{\"msg\":\"%s\",\"count\":%d}]", what, online));
}

/* -- clients */

static void come(int fd) {
    char text[128];
    say(fd, "40{\"sid\":\"y\"}", 12);
    client[fd].place = online;
    live[online++] = fd;
    tell_news("One more person is online");
    say(fd, text, sprintf(text, "42[\"private\",{\"msg\":\"Welcome you are the %d person here\"}]", online));
}

static void go(int fd) {
    int place = client[fd].place, last = live[online - 1];
    bool was_online = place < online && live[place] == fd;
    if (was_online) {
        live[place] = last;
        client[last].place = place;
        online--;
    }
    free(client[fd].rest);
    memset(&client[fd], 0, sizeof client[fd]);
    close(fd);
    if (was_online) tell_news("Someone went home");
}

/* -- in */

static void acknowledge(int fd, const char *text, size_t n, const char *array) {
    char answer[MESSAGE];
    size_t id = array - text - 2, body = text + n - array - 8;
    memcpy(answer, "43", 2);
    memcpy(answer + 2, text + 2, id);
    answer[2 + id] = '[';
    memcpy(answer + 3 + id, array + 8, body);
    say(fd, answer, 3 + id + body);
}

static void take_packet(int fd, const char *text, size_t n) {
    const char *array = memchr(text, '[', n);
    if (n == 2 && !memcmp(text, "40", 2)) come(fd);
    else if (array && !memcmp(array, "[\"shout\"", 8)) broadcast(text, n);
    else if (array && !memcmp(array, "[\"echo\",", 8)) acknowledge(fd, text, n, array);
}

/* Take the whole frames; return how many bytes they were. */
static size_t take_frames(int fd, uint8_t *data, size_t n) {
    size_t used = 0;
    while (n - used >= 6) {
        uint8_t *p = data + used, *mask = p + 2;
        size_t length = p[1] & 127;
        if (length == 126) length = p[2] << 8 | p[3], mask = p + 4;
        uint8_t *text = mask + 4;
        if (text + length > data + n) break;
        for (size_t i = 0; i < length; i++) text[i] ^= mask[i & 3];
        take_packet(fd, (char *)text, length);
        used = text + length - data;
    }
    return used;
}

static size_t take(int fd, uint8_t *data, size_t n) {
    if (client[fd].upgraded) return take_frames(fd, data, n);
    if (!memmem(data, n, "\r\n\r\n", 4)) return 0;
    client[fd].upgraded = true;
    send_all(fd, ANSWER, sizeof ANSWER - 1);
    say(fd, OPENING, sizeof OPENING - 1);
    return n;
}

static void readable(int fd) {
    static uint8_t data[CHUNK + MESSAGE];
    size_t left = client[fd].left;
    if (left) memcpy(data, client[fd].rest, left);
    ssize_t got = recv(fd, data + left, CHUNK, MSG_DONTWAIT);
    if (got <= 0) {
        go(fd);
        return;
    }
    size_t size = left + got, used = take(fd, data, size);
    client[fd].left = size - used;
    if (!client[fd].left) return;
    if (!client[fd].rest) client[fd].rest = malloc(MESSAGE);
    memcpy(client[fd].rest, data + used, client[fd].left);
}

/* -- the loop */

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (void *)&address, sizeof address) || listen(fd, 4096)) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static void watch(int epoll, int fd) {
    struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void accept_all(int epoll, int listening) {
    int one = 1;
    for (int fd; (fd = accept4(listening, NULL, NULL, 0)) >= 0; watch(epoll, fd))
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

int main(void) {
    const char *port = getenv("PORT"), *news = getenv("NEWS");
    int listening = listen_on(port ? atoi(port) : 4000), epoll = epoll_create1(0);
    struct epoll_event events[BATCH];
    tells_news = news && *news == '1';
    for (watch(epoll, listening);;) {
        int n = epoll_wait(epoll, events, BATCH, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == listening) accept_all(epoll, listening);
            else readable(events[i].data.fd);
    }
}
