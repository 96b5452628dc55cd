// SPDX-License-Identifier: Apache-2.0
// What an await costs in Node, or with `chromium` there, beside bare promises. It takes
// the tests' module: make lib && node bench/speed.js [chromium]

const inNode = typeof process === "object";
const root = inNode ? new URL("../../../", import.meta.url) : new URL("/", location.href);

/** Nanoseconds a time, the least of five. */
async function time(n, run) {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await run(n);
    least = Math.min(least, performance.now() - start);
  }
  return Math.round((least * 1e6) / n);
}

const each = (f) => async (n) => { for (let i = 0; i < n; i++) await f(); };
const together = (f) => (n) => Promise.all(Array.from({ length: n }, f));

export async function measure() {
  const { load } = await import("../src/index.js");
  const lib = await load(new URL("build/lib/pillion-test.wasm", root));
  const ask = (text) => text;
  const lent = { ask, log: null, done: null, text: "x" };
  return {
    "await a resolved promise": await time(20000, each(() => Promise.resolve())),
    "queueMicrotask": await time(20000, each(() => new Promise((resolve) => queueMicrotask(resolve)))),
    "a step of a coroutine, with its turn": await time(20000, (n) => lib.call("test.loop_yield", String(n))),
    "await a future of Go's": await time(5000, each(() => lib.call("test.async_echo", "x"))),
    "await a coroutine of Go's": await time(5000, each(() => lib.call("test.loop_echo", "x"))),
    "the same, 1,000 at once": await time(1000, together(() => lib.call("test.loop_echo", "x"))),
    "the same, with a struct each way": await time(5000, each(() => lib.call("test.json_loop", { a: 1, b: 2 }))),
    "await a coroutine that awaits a lent function": await time(5000, each(() => lib.call("lent.loop_ask", lent))),
    "await an offloaded function": await time(2000, each(() => lib.call("test.echo", "x"))),
    "the same, 1,000 at once ": await time(1000, together(() => lib.call("test.echo", "x"))),
  };
}

async function inChromium() {
  const { launch } = await import("../tests/chromium.js");
  const { serve } = await import("../tests/server.js");
  const { origin, close } = await serve();
  const browser = await launch();
  const page = await browser.newPage();
  await page.goto(`${origin}/bindings/browser/tests/pages/empty.html`);
  const got = await page.evaluate(async () => (await import("/bindings/browser/bench/speed.js")).measure());
  await browser.close();
  close();
  return got;
}

if (inNode) {
  const got = process.argv[2] === "chromium" ? await inChromium() : await measure();
  for (const [name, ns] of Object.entries(got)) console.log(`${String(ns).padStart(8)} ns  ${name}`);
}
