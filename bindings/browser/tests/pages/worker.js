// SPDX-License-Identifier: Apache-2.0

import { runAll } from "./run.js";

self.onmessage = async () => postMessage(await runAll());
self.onconnect = ({ ports: [port] }) => {
  port.onmessage = async () => port.postMessage(await runAll());
};
