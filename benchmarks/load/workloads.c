/* What the clients do. A workload that talks does so for a time, not for a count: a slow server is given less to do,
 * never something else. It ends when all that was said has been heard, and whatever is heard is checked.
 */
#define _GNU_SOURCE
#include "talk.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLED = 16, SLOTS = 64 };
static const double AFTERMATH = 0.05;  /* seconds in which nothing more may come */
static double ends;                    /* when the run is too long */

/* -- what is said: {"n":<number>,"msg":"xxx…"} */

static char *tail;
static size_t tail_size;

static void make_body(void) {
    tail_size = opt.size + 10;
    tail = malloc(tail_size + 1);
    memcpy(tail, ",\"msg\":\"", 8);
    memset(tail + 8, 'x', opt.size);
    memcpy(tail + 8 + opt.size, "\"}", 3);
}

/* Send an event: its beginning by format, then the body of this number. */
void say(client *c, long n, const char *format, ...) {
    static buffer packet;
    char head[128];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(head, sizeof head, format, values);
    va_end(values);
    size += snprintf(head + size, sizeof head - size, "{\"n\":%ld", n);
    packet.len = 0;
    buffer_put(&packet, head, size);
    buffer_put(&packet, tail, tail_size);
    buffer_put(&packet, "]", 1);
    client_send(c, packet.data, packet.len);
}

static _Noreturn void wrong(client *c, const char *text, size_t n, long expected) {
    die("client %ld heard %.*s where number %ld of %d bytes was due", (long)(c - clients), (int)(n < 120 ? n : 120), text,
        expected, opt.size);
}

/* Return the number of a body that stands at `at`; the run ends if it is not what was said. Recovery may add a stamp. */
long read_body(client *c, const char *text, size_t n, size_t at, long expected) {
    const char *end = text + n, *body = text + at;
    char *rest;
    if (n < at + tail_size + 7 || memcmp(body, "{\"n\":", 5)) wrong(c, text, n, expected);
    long number = strtol(body + 5, &rest, 10);
    if (expected >= 0 && number != expected) wrong(c, text, n, expected);
    if ((size_t)(end - rest) <= tail_size || memcmp(rest, tail, tail_size)) wrong(c, text, n, expected);
    if (end[-1] != ']' || (end - rest - tail_size != 1 && rest[tail_size] != ',')) wrong(c, text, n, expected);
    return number;
}

bool is(const char *text, size_t n, const char *event) {
    size_t size = strlen(event);
    return n > size && !memcmp(text, event, size);
}

/* -- pace */

void pump(int milliseconds) {
    net_poll(milliseconds);
    if (now() > ends) die("not done after %.0f s: %ld of %d clients joined", opt.deadline, joined, opt.clients);
}

void join_clients(int n) {
    for (int next = 0; joined < n; pump(20))
        while (next < n && next - joined < opt.dialing) client_dial(&clients[next++]);
}

struct talk talk;

bool may_speak(void) { return now() < talk.until; }

static reading phase(double seconds, int window) {
    meter_start();
    talk.window = window;
    talk.until = now() + seconds;
    talk.speak();
    while (may_speak() || talk.heard < talk.said * talk.audience) pump(10);
    return meter_stop();
}

/* Two phases: one to get warm in, with one event open, and one that counts. */
result converse(int audience, void (*speak)(void)) {
    talk.audience = audience;
    talk.speak = speak;
    phase(opt.warmup, 1);
    long said = talk.said, heard = talk.heard;
    result r = { .done = true, .cost = phase(opt.seconds, opt.window) };
    for (double stop = now() + AFTERMATH; now() < stop;) pump(10);
    r.said = talk.said - said;
    r.delivered = talk.heard - heard;
    if (r.delivered != r.said * audience) die("%ld deliveries of %ld events to %d", r.delivered, r.said, audience);
    return r;
}

/* -- fanout: the first client shouts, and all from a listener on hear it; an event is open until that listener hears it */

static double *said_at;
static long said_capacity;
static int first_listener;

static void note_saying(long n) {
    if (n >= said_capacity) {
        said_capacity = said_capacity * 2 + 4096;
        said_at = realloc(said_at, said_capacity * sizeof *said_at);
        if (!said_at) die("out of memory");
    }
    said_at[n] = now();
}

static double since_saying(long n) { return now() - said_at[n]; }

static void shout(void) {
    client *speaker = clients, *listener = clients + first_listener;
    for (; may_speak() && talk.said - listener->heard < talk.window; talk.said++) {
        note_saying(talk.said);
        say(speaker, talk.said, "42[\"shout\",");
    }
    client_flush(speaker);
}

static void hear_shout(client *c, const char *text, size_t n) {
    if (!is(text, n, "[\"shout\",")) return;
    long number = read_body(c, text, n, 9, c->heard++), listener = c - clients - first_listener;
    if (listener < 0) return;
    talk.heard++;
    if (listener % SAMPLED == 0) note_latency(since_saying(number));
    if (listener == 0) shout();
}

result fanout_from(int listener) {
    first_listener = listener;
    on_event = hear_shout;
    join_clients(opt.clients + listener);
    return converse(opt.clients, shout);
}

static result fanout(void) { return fanout_from(0); }

/* -- stalled: fanout to those who read, behind others who joined before them and stopped. The server may do with the latter
 * what it likes; nothing is forgiven to it that it does to the former, who are numbered from 0 as if they were alone. */

static result stalled(void) {
    for (int i = 0; i < opt.stalled; i++) clients[i].stalls = true;
    join_clients(opt.stalled);
    for (int i = 0; i < opt.stalled; i++) conn_neglect(&clients[i].down);
    clients += opt.stalled;
    joined = 0;
    return fanout();
}

/* -- echo: each client asks, and is answered by an acknowledgement; a client has `window` questions open */

void ask(client *c) {
    for (double *at; may_speak() && c->sent - c->heard < talk.window; c->sent++) {
        at = &c->asked[c->sent % SLOTS];
        if (*at) break;
        *at = now();
        say(c, c->sent, "42%ld[\"echo\",", c->sent);
        talk.said++;
    }
    client_flush(c);
}

static void ask_all(void) {
    for (int i = 0; i < opt.clients; i++) ask(&clients[i]);
}

void take_answer(client *c, long id, const char *text, size_t n) {
    double *at = &c->asked[id % SLOTS];
    if (id < 0 || id >= c->sent || id < c->sent - SLOTS || !*at) die("acknowledgement %ld answers nothing", id);
    read_body(c, text, n, 1, id);
    note_latency(now() - *at);
    *at = 0;
    c->heard++;
    talk.heard++;
}

static void hear_answer(client *c, long id, const char *text, size_t n) {
    take_answer(c, id, text, n);
    ask(c);
}

void expect_answers(client *first, int n) {
    for (int i = 0; i < n; i++) first[i].asked = calloc(SLOTS, sizeof(double));
}

static result echo(void) {
    join_clients(opt.clients);
    expect_answers(clients, opt.clients);
    on_ack = hear_answer;
    return converse(1, ask_all);
}

/* -- rooms: each room has `group` clients; one of them tells the others, `window` rooms at once */

static int rooms, next_room, open_rooms;
static struct room { long told, heard; double at; } *room;

static void tell(void) {
    for (; may_speak() && open_rooms < talk.window; next_room++) {
        int i = next_room % rooms;
        struct room *r = &room[i];
        if (r->heard < r->told * opt.group) continue;
        client *speaker = &clients[i * opt.group];
        r->at = now();
        say(speaker, r->told++, "42[\"tell\",\"r%d\",", i);
        client_flush(speaker);
        open_rooms++;
        talk.said++;
    }
}

static void hear_told(client *c, const char *text, size_t n) {
    if (!is(text, n, "[\"told\",")) return;
    struct room *r = &room[(c - clients) / opt.group];
    read_body(c, text, n, 8, c->heard++);
    r->heard++;
    talk.heard++;
    note_latency(now() - r->at);
    if (r->heard < r->told * opt.group) return;
    open_rooms--;
    tell();
}

static long entered;
static void enter_answered(client *c, long id, const char *text, size_t n) { (void)c, (void)id, (void)text, (void)n, entered++; }

static result tell_rooms(void) {
    rooms = opt.clients / opt.group;
    room = calloc(rooms, sizeof *room);
    if (rooms <= opt.window) die("there must be more than %d rooms", opt.window);
    join_clients(opt.clients);
    on_ack = enter_answered;
    on_event = hear_told;
    for (int i = 0; i < opt.clients; i++) {
        char packet[64];
        client_send(&clients[i], packet, snprintf(packet, sizeof packet, "420[\"join\",\"r%d\"]", i / opt.group));
        client_flush(&clients[i]);
        if (i % opt.dialing == 0) pump(0);
    }
    while (entered < opt.clients) pump(20);
    return converse(opt.group, tell);
}

/* -- news: who comes is told to all, with the number of those there */

static long number_after(const char *text, size_t n, const char *key) {
    const char *at = memmem(text, n, key, strlen(key));
    if (!at) die("%.*s has no %s", (int)(n < 200 ? n : 200), text, key);
    return strtol(at + strlen(key), NULL, 10);
}

static long news, complete, welcomed;

static void hear_welcome(client *c, const char *text, size_t n) {
    c->welcome = number_after(text, n, "Welcome you are the ");
    note_latency(now() - c->since);
    welcomed++;
}

/* In the storm each hears of its own coming and of all that come later, in the order of their numbers. */
static void hear_arrival(client *c, const char *text, size_t n) {
    if (is(text, n, "[\"private\",")) {
        hear_welcome(c, text, n);
        return;
    }
    if (!is(text, n, "[\"news\",")) return;
    long number = number_after(text, n, "\"count\":");
    if (c->last && number != c->last + 1) die("news of number %ld came after number %ld", number, c->last);
    if (!c->last) c->first = number;
    c->last = number;
    news++;
    if (number == opt.clients) complete++;
}

static void check_arrivals(void) {
    for (client *c = clients; c < clients + opt.clients; c++)
        if (c->first > c->welcome) die("client number %ld heard news from %ld on only", c->welcome, c->first);
}

/* All dial at once, as far as the queue of a listening socket holds them. */
static result storm(void) {
    on_event = hear_arrival;
    meter_start();
    double stop = now() + opt.limit;
    int next = 0, n = opt.clients;
    while ((complete < n || welcomed < n || joined < n) && now() < stop) {
        while (next < n && dialled - answered < opt.dialing) client_dial(&clients[next++]);
        pump(10);
    }
    result r = { .done = complete == n && welcomed == n && joined == n, .said = n, .delivered = news, .cost = meter_stop() };
    if (r.done) check_arrivals();
    return r;
}

/* -- churn: visitors come, are welcomed and leave; those who stay hear of each coming and going */

static long heard_by_residents;

static void hear_traffic(client *c, const char *text, size_t n) {
    if (is(text, n, "[\"private\",")) {
        hear_welcome(c, text, n);
        return;
    }
    if (!is(text, n, "[\"news\",")) return;
    if (memmem(text, n, "went home", 9)) c->went++;
    else c->came++;
    if (c < clients + opt.clients) heard_by_residents++;
}

static void check_traffic(long visits) {
    for (client *c = clients; c < clients + opt.clients; c++)
        if (c->came != visits || c->went != visits)
            die("client %ld heard of %ld comings and %ld goings of %ld", (long)(c - clients), c->came, c->went, visits);
}

static long send_visitors(void) {
    long sent = 0;
    for (client *c = clients + opt.clients; c < clients + opt.clients + opt.window; c++) {
        if (c->welcome && c->state == JOINED) client_hang_up(c);
        if (c->state == FREE && may_speak()) client_dial(c), sent++;
    }
    return sent;
}

static bool visitors_left(void) {
    for (client *c = clients + opt.clients; c < clients + opt.clients + opt.window; c++)
        if (c->state != FREE) return false;
    return true;
}

/* Each resident hears of all that came after it, which is over when the last has heard its own coming. */
static void settle_residents(void) {
    on_event = hear_arrival;
    join_clients(opt.clients);
    while (complete < opt.clients || welcomed < opt.clients) pump(10);
    check_arrivals();
}

static result churn(void) {
    settle_residents();
    on_event = hear_traffic;
    meter_start();
    talk.until = now() + opt.seconds;
    result r = { .done = true };
    while (may_speak() || !visitors_left() || heard_by_residents < 2 * r.said * opt.clients) {
        r.said += send_visitors();
        pump(5);
    }
    r.cost = meter_stop();
    for (double stop = now() + AFTERMATH; now() < stop;) pump(10);
    check_traffic(r.said);
    r.delivered = heard_by_residents;
    return r;
}

/* -- hold: clients that only answer pings */

static result hold(void) {
    long before = server_rss();
    join_clients(opt.clients);
    meter_start();
    long pings_before = pings;
    for (double stop = now() + opt.hold; now() < stop;) pump(50);
    result r = { .done = true, .said = opt.clients, .delivered = pings - pings_before, .cost = meter_stop() };
    r.rss = server_rss() - before;
    return r;
}

/* -- the table */

static const struct { const char *name; result (*run)(void); } workloads[] = {
    { "fanout", fanout }, { "stalled", stalled }, { "echo", echo }, { "rooms", tell_rooms }, { "storm", storm }, { "churn", churn },
    { "hold", hold }, { "fairness", fairness }, { "flood", flood }, { "relay", relay }, { "pace", relay }, { "calm", calm },
};

result workload_run(void) {
    ends = now() + opt.deadline;
    make_body();
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        if (!strcmp(opt.mode, workloads[i].name)) return workloads[i].run();
    die("no mode %s", opt.mode);
}
