// SPDX-License-Identifier: Apache-2.0

import { Closed, Timeout } from "../../src/index.js";
import { equal, fails, quiet, turn, until } from "./check.js";

const waiting = async (lib) => Number(await lib.call("test.waiting"));

/** An AbortSignal that counts its listeners. */
function watched() {
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  const { addEventListener: add, removeEventListener: remove } = signal;
  signal.addEventListener = (...args) => { listeners++; add.apply(signal, args); };
  signal.removeEventListener = (...args) => { listeners--; remove.apply(signal, args); };
  return { controller, signal, listeners: () => listeners };
}

export default {
  async "an abort ends the call with the signal's reason, and Go's function"(lib) {
    for (const name of ["test.block", "test.loop_block"]) {
      const { controller, signal, listeners } = watched();
      const call = lib.call(name, undefined, { signal });
      await until(async () => (await waiting(lib)) === 1);
      const reason = new Error("enough");
      controller.abort(reason);
      equal((await fails(call, Error)) === reason, true, "the reason");
      equal(listeners(), 0, "listeners");
      await until(async () => (await waiting(lib)) === 0);
    }
    await quiet(lib);
  },

  async "an abort before the turn keeps the function from starting"(lib) {
    const controller = new AbortController();
    const call = lib.call("test.loop_defer", undefined, { signal: controller.signal });
    const before = await lib.call("test.ended");
    controller.abort();
    await fails(call, DOMException, { name: "AbortError" });
    await quiet(lib);
    const late = new AbortController();
    const other = lib.call("test.loop_echo", "x", { signal: late.signal });
    late.abort();
    await fails(other, DOMException);
    await quiet(lib);
    equal(typeof before, "string");
  },

  async "a signal that is aborted already sends nothing"(lib) {
    const signal = AbortSignal.abort(new Error("no"));
    await fails(lib.call("test.block", undefined, { signal }), Error, { message: "no" });
    equal(lib.counts().live, 0, "live");
  },

  async "a call that has ended leaves the signal alone"(lib) {
    const { controller, signal, listeners } = watched();
    for (const name of ["test.echo", "test.loop_echo"]) await lib.call(name, "x", { signal });
    await fails(lib.call("test.fail", "x", { signal }), Error);
    equal(listeners(), 0, "listeners");
    controller.abort();
    equal(await lib.call("test.upper", "x"), "X");
  },

  async "an abort at each point of a call is answered"(lib) {
    for (let delay = 0; delay < 40; delay++) {
      const controller = new AbortController();
      const call = lib.call(delay % 2 ? "test.loop_yield" : "test.same_string", "20", { signal: controller.signal });
      for (let i = 0; i < delay; i++) await Promise.resolve();
      controller.abort();
      await call.then((value) => equal(value, "20"), (error) => equal(error.name, "AbortError"));
    }
    await quiet(lib);
  },

  async "the time is up"(lib) {
    for (const name of ["test.block", "test.loop_block"]) {
      await fails(lib.call(name, undefined, { timeout: 2 }), Timeout, { code: -16 });
    }
    await until(async () => (await waiting(lib)) === 0);
    await fails(lib.call("test.block", undefined, { timeout: 0 }), Timeout);
    equal(await lib.call("test.echo", "", { timeout: Infinity }), new Uint8Array());
    equal(await lib.call("test.deadline"), "none");
    const left = Number(await lib.call("test.deadline", undefined, { timeout: 1e6 })) / 1e6;
    equal(left > 0 && left <= 1e6, true, `${left} ms left`);
    await quiet(lib);
  },

  async "a function that goes on after its cancel is not waited for"(lib) {
    const controller = new AbortController();
    const call = lib.call("test.stubborn", undefined, { signal: controller.signal });
    await until(async () => (await waiting(lib)) === 1);
    controller.abort();
    await fails(call, DOMException);
    await lib.call("test.release");
    await until(async () => (await waiting(lib)) === 0);
  },

  async "a close ends every call, and later ones"(_, { load }) {
    const lib = await load();
    const calls = [lib.call("test.block"), lib.call("test.loop_block"), lib.call("test.sleep", "1000000000000")];
    await turn();
    const soon = lib.call("test.echo", "x");
    lib.close();
    lib.close();
    for (const call of [...calls, soon, lib.call("test.echo", "x")]) await fails(call, Closed);
    const items = lib.stream("flow.count", 3);
    await fails(items.next(), Closed);
    equal(lib.counts(), { live: 0, memory: 0 });
  },

  async "two libraries in one place know nothing of each other"(lib, { load }) {
    const other = await load();
    const [a, b] = [lib.call("test.same_string", "a"), other.call("test.same_string", "b")];
    equal([await a, await b], ["a", "b"]);
    const open = other.call("test.loop_block");
    await turn();
    equal([lib.counts().live, other.counts().live], [0, 1]);
    other.close();
    await fails(open, Closed);
    equal(await lib.call("test.upper", "x"), "X");
  },
};
