// The official client, today's and one of 2021, against the same server with the same checks.

import { after } from "node:test";
import { io as today } from "socket.io-client";
import y2021 from "socket.io-client-2021";
import { checks, recoveryChecks } from "./checks.mjs";
import { describeChecks, findServer } from "./support.mjs";

const server = await findServer();
const recovering = await findServer({ RECOVERY: 1 });
after(() => [server, recovering].forEach((each) => each.stop()));

const BROWSERS_ONLY = {
  "a Blob is sent as its bytes, in its turn": "under Node the official client does not send a Blob",
};

// Features that came after 4.1, by the release that brought them.
const NEWER = {
  ...BROWSERS_ONLY,
  "a refused socket is no longer active": "after 4.1",
  "timeout() gives the answer, or an error when it does not come": "since 4.4",
  "catch-all listeners hear what goes out": "since 4.5",
  "what is more than a payload together goes out in several": "since 4.5",
  "emitWithAck() resolves, and rejects when its time is over": "since 4.6",
  "answers that can no longer come fail at once": "since 4.8",
  "with retries, events go out one by one, and again until they are answered": "since 4.6",
  "with tryAllTransports, the WebSocket connects where polling fails": "since 4.8",
  "a session is recovered with what it missed, once and in order": "since 4.6",
};

describeChecks("socket.io-client 4.8.4", today, server, checks, BROWSERS_ONLY);
describeChecks("socket.io-client 4.8.4, recovering", today, recovering, recoveryChecks);
describeChecks("socket.io-client 4.1.3", y2021, server, checks, NEWER);
describeChecks("socket.io-client 4.1.3, recovering", y2021, recovering, recoveryChecks, NEWER);
