// SPDX-License-Identifier: Apache-2.0

import { load } from "../../src/index.js";
import { cases } from "../cases/index.js";

export const source = new URL("/build/lib/pillion-test.wasm", location.href);

/** Runs all cases; gives the name and the error, or null, of each. */
export async function runAll() {
  const { origin } = source;
  const options = { glue: new URL("wasm_exec.js", source) };
  const more = { source, options, origin, load: () => load(source) };
  const lib = await more.load();
  const results = [];
  for (const { name, run } of cases) {
    const error = await Promise.resolve(run(lib, more)).then(() => null, (e) => String(e?.stack ?? e));
    results.push({ name, error });
  }
  return results;
}
