// Our client against a real server, over each transport.

import { after } from "node:test";
import { checks, recoveryChecks } from "./checks.mjs";
import { describeChecks, findServer, loadClient } from "./support.mjs";

const io = loadClient();
const server = await findServer();
const recovering = await findServer({ RECOVERY: 1 });
after(() => [server, recovering].forEach((each) => each.stop()));

describeChecks("our client", io, server, checks);
describeChecks("our client, recovering", io, recovering, recoveryChecks);
