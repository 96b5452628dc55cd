// SPDX-License-Identifier: Apache-2.0
// A worker without modules.

self.onmessage = async () => {
  const { runAll } = await import("./run.js");
  postMessage(await runAll());
};
