// SPDX-License-Identifier: Apache-2.0
// Runs the cases where the address's hash says, and leaves the results in `results`.

import { runAll } from "./run.js";

const where = location.hash.slice(1);

function inWorker() {
  if (where === "shared") {
    const { port } = new SharedWorker("worker.js", { type: "module" });
    port.start();
    return port;
  }
  return where === "classic" ? new Worker("classic.js") : new Worker("worker.js", { type: "module" });
}

if (where === "window") {
  window.results = await runAll();
} else {
  const worker = inWorker();
  worker.addEventListener("message", (event) => { window.results = event.data; });
  worker.postMessage(0);
}
