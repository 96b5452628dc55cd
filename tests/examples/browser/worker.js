// SPDX-License-Identifier: Apache-2.0

import { load } from "../../../bindings/browser/src/index.js";

const BLOCK = 1 << 18;

let lib;
const running = new Map(); // what cancels a file, by its number

/** The blocks of a file. */
async function* blocks(file) {
  for (let at = 0; at < file.size; at += BLOCK) {
    yield new Uint8Array(await file.slice(at, at + BLOCK).arrayBuffer());
  }
}

async function hash(number, file) {
  const controller = new AbortController();
  running.set(number, controller);
  try {
    const progress = (done) => postMessage({ number, done });
    const sum = await lib.collect("hash.sha256", { progress }, blocks(file), { signal: controller.signal });
    postMessage({ number, sum });
  } catch (error) {
    postMessage({ number, error: error.message });
  }
  running.delete(number);
  postMessage({ idle: true });
}

self.onmessage = async ({ data }) => {
  if (data.module) {
    lib = await load(data.module, { glue: data.glue });
    postMessage({ idle: true });
  } else if (data.cancel) {
    running.get(data.cancel)?.abort();
  } else {
    hash(data.hash, data.file);
  }
};
