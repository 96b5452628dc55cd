// SPDX-License-Identifier: Apache-2.0

import { GoError, GoPanic, NotSupported } from "../../src/index.js";
import { all, equal, fails, quiet, turn, until } from "./check.js";

const waiting = async (lib) => Number(await lib.call("test.waiting"));
const range = (n) => Array.from({ length: n }, (_, i) => i);

export default {
  async "a stream's items come in order, and then its end"(lib) {
    for (const name of ["flow.count", "flow.loop_count"]) {
      for (const n of [0, 1, 31, 32, 33, 1000]) equal(await all(lib.stream(name, n)), range(n), `${name} ${n}`);
    }
    const blocks = await all(lib.stream("flow.blocks", 3000));
    equal([blocks.length, blocks[25].length, blocks[25][0]], [26, 3000, 122]);
    await quiet(lib);
  },

  async "a break ends Go's function"(lib) {
    for await (const item of lib.stream("flow.count", 1e9)) if (item === 40) break;
    await until(async () => (await waiting(lib)) === 0);
    await quiet(lib);
  },

  async "Go goes at most a window ahead"(lib) {
    const items = lib.stream("flow.loop_count", 1e9);
    equal(await items.next(), { value: 0, done: false });
    for (let i = 0; i < 20; i++) await turn();
    equal(lib.counts().live, 1);
    equal(await items.return("x"), { value: "x", done: true });
    equal(await items.next(), { value: undefined, done: true });
    await quiet(lib);
  },

  async "a return ends a next that waits"(lib) {
    const items = lib.stream("flow.upper", undefined, { items: forever() });
    const pending = [items.next(), items.next()];
    await turn();
    equal(await items.return(), { value: undefined, done: true });
    equal(await Promise.all(pending), [{ value: undefined, done: true }, { value: undefined, done: true }]);
    await quiet(lib);
  },

  async "an error comes after the items"(lib) {
    const items = lib.stream("flow.fail", "why");
    equal((await items.next()).value, "first");
    await fails(items.next(), GoError, { code: 42, message: "why" });
    equal((await items.next()).done, true);
    await fails(all(lib.stream("flow.fail", "panic")), GoPanic);
    await fails(all(lib.stream("test.echo")), NotSupported);
    await fails(all(lib.stream("flow.upper")), NotSupported);
    await fails(all(lib.stream("flow.count", 3, { items: [] })), NotSupported);
    await quiet(lib);
  },

  async "an abort ends a stream at each point"(lib) {
    for (let point = 0; point < 45; point++) {
      const controller = new AbortController();
      const items = lib.stream("flow.count", 100, { signal: controller.signal });
      const got = [];
      try {
        for await (const item of items) {
          got.push(item);
          if (got.length === point) controller.abort();
        }
        equal([point, got.length], [0, 100]); // Go cannot have sent all before the others
      } catch (error) {
        equal([error.name, got.length], ["AbortError", point]);
      }
      equal(got, range(got.length));
    }
    await quiet(lib);
  },

  async "a throw and a disposal end the call"(lib) {
    const items = lib.stream("flow.count", 1e9);
    await items.next();
    await fails(items.throw(new Error("mine")), Error, { message: "mine" });
    const other = lib.stream("flow.count", 1e9);
    await other.next();
    await other[Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]();
    await until(async () => (await waiting(lib)) === 0);
    const unused = lib.stream("flow.count", 1e9);
    equal(await unused.return(), { value: undefined, done: true });
    equal(await unused.next(), { value: undefined, done: true });
    await quiet(lib);
  },

  async "items go to Go from any iterable"(lib) {
    equal(await lib.collect("flow.join", -1, ["a", "b"]), "a b");
    equal(await lib.collect("flow.join", -1, words(100)), range(100).join(" "));
    equal(await lib.collect("flow.size", undefined, [new Uint8Array(5000), "abc"]), "2 5003");
    equal(await lib.collect("flow.join", -1, []), "");
    await fails(lib.collect("test.echo", "", []), NotSupported);
    await quiet(lib);
  },

  async "a generator is closed when Go reads no more"(lib) {
    let closed = false;
    async function* items() {
      try {
        for (;;) yield "x";
      } finally {
        closed = true;
      }
    }
    equal(await lib.collect("flow.join", 3, items()), "x x x");
    await until(() => closed);
    await quiet(lib);
  },

  async "an error of the items ends the call"(lib) {
    async function* items() {
      yield "a";
      throw new RangeError("no more");
    }
    await fails(lib.collect("flow.join", -1, items()), RangeError, { message: "no more" });
    await fails(lib.collect("flow.join", -1, ["a", 5]), TypeError);
    await fails(lib.collect("flow.join", -1, 5), TypeError);
    await quiet(lib);
  },

  async "items flow both ways"(lib) {
    equal(await all(lib.stream("flow.upper", undefined, { items: ["a", "b"] })), ["A", "B"]);
    equal((await all(lib.stream("flow.upper", undefined, { items: words(500) }))).length, 500);
    await quiet(lib);
  },
};

async function* words(n) {
  for (const i of range(n)) yield String(i);
}

async function* forever() {
  await new Promise(() => {});
}
