/* Two servers that share a Redis: the first client is on one, all others are on the other one, or on the same one if there
 * is no other. The first says something to all; the others hear it, and only what they hear counts.
 */
#include "talk.h"

enum { SAMPLED = 16 };

/* An event is open until the first listener has heard it: the speaker's own server may be far ahead. */
static void speak(void) {
    client *speaker = clients, *listener = clients + 1;
    for (; may_speak() && talk.said - listener->heard < talk.window; talk.said++) {
        note_saying(talk.said);
        say(speaker, talk.said, "42[\"shout\",");
    }
    client_flush(speaker);
}

static void hear(client *c, const char *text, size_t n) {
    if (!is(text, n, "[\"shout\",")) return;
    long number = read_body(c, text, n, 9, c->heard++);
    if (c == clients) return;
    talk.heard++;
    if ((c - clients) % SAMPLED == 1) note_latency(since_saying(number));
    if (c == clients + 1) speak();
}

result relay(void) {
    on_event = hear;
    join_clients(opt.clients + 1);
    return converse(opt.clients, speak);
}

/* One client on each server, and nobody says anything. */
result calm(void) {
    join_clients(2);
    meter_start();
    for (double stop = now() + opt.hold; now() < stop;) pump(50);
    return (result){ .done = true, .said = 2, .delivered = 2, .cost = meter_stop() };
}
