// SPDX-License-Identifier: Apache-2.0
// A worker that is inside Go all the time.

import { load } from "../../src/index.js";

const lib = await load("/build/lib/pillion-test.wasm");
for (let i = 0; i < 100; i++) lib.call("test.loop_yield", "100000000");
await lib.call("test.upper", "x");
postMessage(0);
