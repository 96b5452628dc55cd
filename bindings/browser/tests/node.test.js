// SPDX-License-Identifier: Apache-2.0
// The cases in Node, with the module for JavaScript and with the one for WASI.

import { after, test } from "node:test";

import { load } from "../src/index.js";
import { cases } from "./cases/index.js";
import { serve } from "./server.js";

const lib = new URL("../../../build/lib/", import.meta.url);
const { origin, close } = await serve();
after(close);

for (const carrier of ["pillion-test.wasm", "pillion-test-wasi.wasm"]) {
  test(carrier, async (t) => {
    const source = new URL(carrier, lib);
    const options = { glue: new URL("wasm_exec.js", lib) };
    const more = { source, options, origin, load: () => load(source) };
    const library = await more.load();
    for (const { name, run } of cases) await t.test(name, { timeout: 20000 }, () => run(library, more));
    library.close();
  });
}
