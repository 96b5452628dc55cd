// SPDX-License-Identifier: Apache-2.0

import { GoError } from "../../src/index.js";
import { all, equal, fails, quiet, turn, until } from "./check.js";

const asks = ["lent.ask", "lent.cpu_ask", "lent.loop_ask", "lent.async_ask"];
const lent = (more) => ({ ask: undefined, log: undefined, done: undefined, text: "", ...more });

export default {
  async "Go calls a function of its request, and awaits its promise"(lib) {
    for (const name of asks) {
      equal(await lib.call(name, lent({ text: "a", ask: (s) => `${s}!` })), "a!");
      equal(await lib.call(name, lent({ text: "a", ask: async (s) => { await turn(); return `${s}?`; } })), "a?");
    }
    await quiet(lib);
  },

  async "an exception is Go's error, with its stack"(lib) {
    for (const name of asks) {
      const ask = () => { throw new RangeError("mine"); };
      await fails(lib.call(name, lent({ ask })), GoError, { message: "RangeError: mine" });
      await fails(lib.call(name, lent({ ask: async () => { throw "text"; } })), GoError, { message: "text" });
      await fails(lib.call(name, lent({ ask: () => 5 })), GoError);
      await fails(lib.call(name, lent({ ask: () => ({ get then() { throw new Error("then"); } }) })), GoError);
    }
    await fails(lib.call("lent.ask", lent({ ask: 5 })), TypeError);
    await fails(lib.call("lent.ask", lent({})), GoError);
    await quiet(lib);
  },

  async "a function calls Go again"(lib) {
    const ask = async (s) => (s.length > 20 ? s : lib.call("lent.ask", lent({ text: `${s}.`, ask })));
    equal(await lib.call("lent.loop_ask", lent({ text: "", ask })), ".".repeat(21));
    await quiet(lib);
  },

  async "an abort reaches the function that Go awaits"(lib) {
    for (const name of asks) {
      const controller = new AbortController();
      let told;
      const ask = (s, { signal }) => new Promise((resolve, reject) => {
        told = false;
        signal.addEventListener("abort", () => { told = true; reject(signal.reason); });
      });
      const call = lib.call(name, lent({ ask }), { signal: controller.signal });
      await until(() => told === false);
      controller.abort();
      await fails(call, DOMException);
      await until(() => told);
    }
    await quiet(lib);
  },

  async "a call ends once its leaked calls are answered"(lib) {
    let stop;
    const ask = (s, { signal }) => new Promise((resolve) => {
      stop = () => resolve("late");
      signal.addEventListener("abort", stop);
    });
    equal(await lib.call("lent.leak", lent({ ask })), "returned");
    await quiet(lib);
  },

  async "signals come in order, and the latest value always"(lib) {
    const words = Array.from({ length: 200 }, (_, i) => `w${i}`);
    const log = [];
    const done = [];
    const count = await lib.call("lent.upload", lent({
      text: words.join(" "), log: (s) => log.push(s), done: (n) => done.push(n),
    }));
    equal([count, log.length, done.at(-1)], [200, 200, 200]);
    equal(log, words);
    const last = [];
    await lib.call("lent.loop_upload", lent({ text: words.join(" "), log: (s) => last.push(s), done: () => {} }));
    equal(last.at(-1), "w199");
    await quiet(lib);
  },

  async "a stream lends functions, too"(lib) {
    const log = [];
    const items = lib.stream("lent.mixed", lent({ text: "a b c", log: (s) => log.push(s), ask: async (s) => s + s }));
    equal(await all(items), ["aa", "bb", "cc"]);
    equal(log, ["a", "b", "c"]);
    await quiet(lib);
  },

  async "Go calls functions that are provided by name"(lib) {
    const names = ["import.fetch", "import.loop_fetch", "import.async_fetch"];
    for (const name of names) await fails(lib.call(name, "x"), GoError, { message: "imports: the host provides no such function: app.Http.fetch" });
    const bytes = lib.provide("app.Http", { fetch: async (b) => `got ${new TextDecoder().decode(b)}` }, { bytes: true });
    for (const name of names) equal(await lib.call(name, "x"), "got x");
    await fails(lib.call("import.other", "x"), GoError);
    bytes.close();
    bytes.close();
    await fails(lib.call("import.fetch", "x"), GoError);
    await quiet(lib);
  },

  async "a provider that is closed answers what was asked"(lib) {
    let answer;
    const provider = lib.provide("app.Http", { fetch: () => new Promise((resolve) => { answer = resolve; }) }, { bytes: true });
    const call = lib.call("import.fetch", "x");
    await until(() => answer);
    provider.close();
    answer("late");
    equal(await call, "late");
    await quiet(lib);
  },

  async "what Go logs reaches a listener, from its level on"(lib) {
    const got = [];
    const log = (Level, Text) => lib.call("test.log", { Level, Text, Attrs: { n: 5 } });
    await log(8, "unheard");
    lib.logTo((record) => got.push(record), -4);
    await log(-8, "too low");
    await log(-4, "ä");
    lib.logTo(undefined);
    await log(8, "unheard again");
    equal(got.map(({ level, msg, extra }) => [level, msg, extra.n]), [[-4, "ä", 5]]);
  },
};
