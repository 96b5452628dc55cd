// SPDX-License-Identifier: Apache-2.0

import { Closed, compile, GoError, VersionMismatch } from "../../src/index.js";
import { all, equal, fails, quiet, turn, until } from "./check.js";

/** The smallest module that is none of Pillion's. */
const empty = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);

export default {
  async "a function that blocks the loop ends the program"(_, { load, source }) {
    const lib = await load();
    const open = lib.call("test.loop_block");
    await turn();
    const error = await fails(lib.call("wasm.block"), Closed);
    equal(error.message.includes(/wasi/.test(source) ? "ended" : "blocked"), true, error.message);
    await fails(open, Closed);
    await fails(lib.call("test.echo"), Closed);
  },

  async "a program that panics or exits rejects its calls"(_, { load }) {
    for (const name of ["wasm.crash", "wasm.exit"]) {
      const lib = await load();
      const open = lib.call("test.block");
      await turn();
      await fails(lib.call(name), Closed);
      await fails(open, Closed);
      await fails(lib.call("test.echo"), Closed);
      await fails((async () => lib.provide("a.B", {}))(), Closed);
    }
  },

  async "a goroutine that is left behind goes on"(lib) {
    await lib.call("wasm.started", 1);
    await until(async () => (await lib.call("test.waiting")) === "0");
    await quiet(lib);
  },

  async "one compiled module makes several libraries"(_, { source, options }) {
    const { load } = await import("../../src/index.js");
    const module = await compile(source);
    const [a, b] = await Promise.all([load(module, options), load(module, options)]);
    equal(await Promise.all([a.call("test.upper", "a"), b.call("test.upper", "b")]), ["A", "B"]);
    a.close();
    b.close();
  },

  async "what is no module of ours is refused"(_, { options }) {
    const { load } = await import("../../src/index.js");
    await fails(load(empty, options), VersionMismatch);
    await fails(load(new Uint8Array(3), options), WebAssembly.CompileError);
  },

  async "an async generator gives Go items"(lib) {
    let closed = 0;
    async function* feed(request) {
      try {
        for (let i = 0; ; i++) {
          if (i === 60) throw new RangeError("sixty");
          yield `${new TextDecoder().decode(request)}${i}`;
        }
      } finally {
        closed++;
      }
    }
    const provider = lib.provide("app.Http", { feed }, { bytes: true });
    equal((await lib.call("import.some", "50 x")).split(" ").at(-1), "x49");
    equal(closed, 1, "closed");
    await fails(lib.call("import.some", "61 x"), GoError, { message: "RangeError: sixty" });
    equal(closed, 2, "closed");
    provider.close();
    const other = lib.provide("app.Http", { feed: async function* () { yield "a"; await new Promise(() => {}); } }, { bytes: true });
    const items = lib.stream("import.feed", "x");
    equal((await items.next()).value, "a");
    await items.return();
    other.close();
  },

  async "a function reads the items that Go sends"(lib) {
    const words = Array.from({ length: 100 }, (_, i) => `w${i}`).join(" ");
    const text = (bytes) => new TextDecoder().decode(bytes);
    let told;
    let thrown;
    const provider = lib.provide("app.Http", {
      async join(request, { items, signal }) {
        signal.addEventListener("abort", () => { told = true; });
        const list = [];
        try {
          for await (const item of items) {
            list.push(text(item));
            if (list.at(-1) === "enough") break;
          }
        } catch (error) {
          thrown = error.name;
          throw error;
        }
        return list.join("+");
      },
    }, { bytes: true });
    equal(await lib.call("import.join", words), words.replaceAll(" ", "+"));
    equal(await lib.call("import.join", ""), "");
    equal(await lib.call("import.join", `a enough ${words}`), "a+enough");
    await fails(lib.call("import.join", `${words} bad ${words}`), GoError, { message: "bad" });
    equal([told, thrown], [true, "AbortError"]);
    provider.close();
    await quiet(lib);
  },

  async "Go fetches"(lib, { origin }) {
    if (!origin) return;
    equal(await lib.call("wasm.fetch", `${origin}/echo`), "200 text/plain 6");
    equal(await lib.call("wasm.fetch", `${origin}/no`), "404 text/plain 9");
    equal(await lib.call("wasm.post", `${origin}/echo`), "POST body");
    await fails(lib.call("wasm.fetch", "http://127.0.0.1:1/"), GoError);
    const controller = new AbortController();
    const call = lib.call("wasm.fetch", `${origin}/slow`, { signal: controller.signal });
    await until(() => lib.counts().live === 1);
    controller.abort();
    await fails(call, DOMException);
    await quiet(lib);
    equal((await all(lib.stream("flow.count", 3))).length, 3);
  },
};
