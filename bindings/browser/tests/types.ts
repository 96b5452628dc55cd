// SPDX-License-Identifier: Apache-2.0
// Programs that the types must allow, and lines that they must refuse. tsc compiles them.

import { compile, GoError, Library, load } from "pillion";

export async function program(): Promise<number> {
  const lib: Library = await load("foo.wasm", { glue: "wasm_exec.js" });
  await load(fetch("foo.wasm"));
  await load(await compile(new Uint8Array()));
  const text: string = await lib.call<string>("a.b", { done: (n: number) => n }, { signal: AbortSignal.timeout(5), timeout: 5 });
  for await (const n of lib.stream<number>("a.c", text)) n.toFixed();
  await lib.collect("a.d", 1, [1, 2]);
  using provider = lib.provide("a.B", { f: async (request: string, { signal }) => signal.aborted || request });
  provider.close();
  // @ts-expect-error: a timeout is a number
  await lib.call("a.b", 1, { timeout: "5" });
  // @ts-expect-error: only load makes libraries
  new Library();
  try {
    lib.describe("a.b").kind satisfies string;
  } catch (error) {
    if (error instanceof GoError) return error.code;
  }
  return lib.counts().live;
}
