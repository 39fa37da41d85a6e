/* How long one waits for an answer while another keeps the server busy. Of the former one question is open at a time; those
 * who ask take turns, and theirs are the latencies that are noted.
 */
#include "talk.h"

enum { FLOOD = 2048 }; /* events without an answer: more than a server reads at once */
static client *askers, *disturber;
static int asking;
static long turn, disturbances;

static void ask_next(void) { ask(&askers[turn++ % asking]); }

static void hear_in_turn(client *c, long id, const char *text, size_t n) {
    take_answer(c, id, text, n);
    ask_next();
}

static void (*disturb)(void);

static void begin(void) {
    disturbances = 0;
    ask_next();
    disturb();
}

static void disturbed(void) {
    if (may_speak()) disturbances++;
    disturb();
}

static result ask_beside(client *first, int n) {
    askers = first, asking = n;
    expect_answers(first, n);
    result r = converse(1, begin);
    r.said = disturbances;
    return r;
}

/* -- fairness: one shouts to all, again when all have heard it; one further client asks */

static long shouts, heard;

static void shout(void) {
    if (!may_speak() || heard < shouts * (opt.clients + 1)) return;
    say(clients, shouts++, "42[\"shout\",");
    client_flush(clients);
}

static void hear_shout(client *c, const char *text, size_t n) {
    if (!is(text, n, "[\"shout\",")) return;
    read_body(c, text, n, 9, c->last++);
    if (++heard == shouts * (opt.clients + 1)) disturbed();
}

result fairness(void) {
    on_event = hear_shout;
    on_ack = hear_in_turn;
    disturb = shout;
    join_clients(opt.clients + 1);
    result r = ask_beside(&clients[opt.clients], 1);
    while (heard < shouts * (opt.clients + 1)) pump(10);
    return r;
}

/* -- flood: one further client asks as fast as it can; none of the others may be forgotten */

static void pour(void) {
    if (disturber->sent - disturber->heard > FLOOD / 2) return;
    for (; may_speak() && disturber->sent - disturber->heard < FLOOD; disturber->sent++)
        say(disturber, disturber->sent, "42%ld[\"echo\",", disturber->sent);
    client_flush(disturber);
}

static void hear_flood(client *c, long id, const char *text, size_t n) {
    if (c != disturber) {
        hear_in_turn(c, id, text, n);
        return;
    }
    read_body(c, text, n, 1, c->heard++);
    disturbed();
}

result flood(void) {
    disturber = &clients[opt.clients];
    on_ack = hear_flood;
    disturb = pour;
    join_clients(opt.clients + 1);
    long before = pings;
    result r = ask_beside(clients, opt.clients);
    if (pings - before < opt.clients) die("%ld heartbeats came to %d clients", pings - before, opt.clients);
    while (disturber->heard < disturber->sent) pump(10);
    return r;
}
