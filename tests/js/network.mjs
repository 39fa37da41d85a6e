// A network of one's own, a TCP relay, so that a connection dies as connections do: at both ends, with what was on its
// way. And random numbers that come again.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** A relay to the server that can die, with all that is on its way, and live again; or fall silent for good. */
export async function startNetwork(port) {
  const lines = new Set();
  let isDead = false, isMute = false;
  const relay = createServer((near) => {
    if (isDead) return near.destroy();
    const far = connect(port, "127.0.0.1");
    const line = [near, far];
    lines.add(line);
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay(true);
      from.on("data", (data) => to.write(data));
      from.on("error", () => {});
      from.on("close", () => {
        if (isMute) return;
        lines.delete(line);
        to.end();
      });
    }
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  const cutLines = () => {
    for (const line of lines) for (const end of line) end.resetAndDestroy();
    lines.clear();
  };
  return {
    port: relay.address().port,
    die() {
      isDead = true;
      cutLines();
    },
    live() {
      isDead = false;
    },
    /** From now on nothing passes, not even the news that an end was closed. */
    mute() {
      isDead = isMute = true;
      for (const line of lines) for (const end of line) end.pause();
    },
    close() {
      relay.close();
    },
  };
}

/** Random numbers that are the same for the same seed (mulberry32). */
export function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
