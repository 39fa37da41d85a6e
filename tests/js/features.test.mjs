// What a real client can see of the server's features: the official client and ours against the application of
// tests/support/feature_server.py, which is at SERVER_URL; tests/journeys/test_features.py starts one.

import { io } from "socket.io-client";
import { apiChecks, features, official } from "./features.mjs";
import { describeChecks, loadClient } from "./support.mjs";

const url = process.env.SERVER_URL?.replace(/\/$/, "");
if (!url) throw new Error("SERVER_URL is missing: python tests/support/feature_server.py serves the application");

describeChecks("socket.io-client 4.8.4", io, { url }, { ...features, ...apiChecks, ...official });
describeChecks("our client", loadClient(), { url }, { ...features, ...apiChecks });
