/* Two servers that share a Redis: the first client is on one, all others are on the other one, or on the same one if there
 * is no other. The first says something to all; the others hear it, and only what they hear counts.
 */
#include "talk.h"

/* The first client only speaks: its own server may be far ahead of the others. */
result relay(void) { return fanout_from(1); }

/* One client on each server, and nobody says anything. */
result calm(void) {
    join_clients(2);
    meter_start();
    for (double stop = now() + opt.hold; now() < stop;) pump(50);
    return (result){ .done = true, .said = 2, .delivered = 2, .cost = meter_stop() };
}
