// SPDX-License-Identifier: Apache-2.0
// The cases in Chromium, and what only a browser has.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { installed, launch } from "./chromium.js";
import { serve } from "./server.js";

const path = (name) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const pages = "/bindings/browser/tests/pages";
const { origin, close } = await serve();
const browser = await launch();
after(async () => {
  await browser.close();
  close();
});

/** A page, whose own errors fail the test. */
async function open(t, path) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  t.after(async () => {
    await page.close();
    assert.deepEqual(errors, []);
  });
  await page.goto(origin + path);
  return page;
}

/** Leaves `lib`, and the package as `pillion`, in the window. */
async function withLibrary(page) {
  await page.evaluate(async () => {
    window.pillion = await import("/bindings/browser/src/index.js");
    window.lib = await pillion.load("/build/lib/pillion-test.wasm");
  });
}

for (const where of ["window", "worker", "classic", "shared"]) {
  test(`cases in a ${where}`, async (t) => {
    const page = await open(t, `${pages}/cases.html#${where}`);
    const results = await (await page.waitForFunction(() => window.results, undefined, { timeout: 60000 })).jsonValue();
    for (const { name, error } of results) await t.test(name, () => assert.equal(error, null));
  });
}

for (const kind of ["loop", "goroutine"]) {
  test(`the vectors of calls, ${kind}`, async (t) => {
    const page = await open(t, `${pages}/empty.html`);
    await withLibrary(page);
    const { passed, differences } = await page.evaluate(async (kind) => {
      const { Host, replay } = await import("/bindings/browser/tests/vectors.js");
      const host = new Host(lib, kind);
      const differences = [];
      let passed = 0;
      for (const file of ["flow", "inbound"]) {
        const response = await fetch(`/tests/conformance/vectors/calls/${file}.vec`);
        const count = await replay(host, await response.text(), 10000, (one) => differences.push(one));
        passed += count.passed;
      }
      return { passed, differences };
    }, kind);
    assert.deepEqual(differences, []);
    assert.ok(passed > 50);
  });
}

test("frames are drawn while Go has work", async (t) => {
  const page = await open(t, `${pages}/empty.html`);
  await withLibrary(page);
  const frames = await page.evaluate(async () => {
    let drawn = 0;
    let over = false;
    const frame = () => {
      drawn++;
      if (!over) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    // It ends when there were frames: without them it never would.
    while (drawn < 5) await lib.call("test.loop_yield", "1000");
    over = true;
    return drawn;
  });
  assert.ok(frames >= 5);
});

test("a reload in the middle of calls starts anew", async (t) => {
  const page = await open(t, `${pages}/empty.html`);
  for (let i = 0; i < 3; i++) {
    await withLibrary(page);
    assert.equal(await page.evaluate(() => {
      lib.call("test.block");
      lib.call("test.loop_yield", "1000000");
      return lib.call("test.upper", "x");
    }), "X");
    await page.reload();
  }
});

test("a tab in the background goes on", async (t) => {
  const page = await open(t, `${pages}/empty.html`);
  await withLibrary(page);
  const other = await open(t, `${pages}/empty.html`);
  await other.bringToFront();
  assert.equal(await page.evaluate(() => lib.call("test.loop_yield", "100000")), "100000");
});

test("a worker that is terminated takes nothing with it", async (t) => {
  const page = await open(t, `${pages}/empty.html`);
  await withLibrary(page);
  assert.equal(await page.evaluate(async () => {
    for (let i = 0; i < 3; i++) {
      const worker = new Worker("busy.js", { type: "module" });
      await new Promise((resolve) => { worker.onmessage = resolve; });
      worker.terminate();
    }
    return lib.call("test.upper", "x");
  }), "X");
});

test("an exception in a signal's function is reported as an event's", async (t) => {
  const page = await browser.newPage();
  t.after(() => page.close());
  await page.goto(`${origin}${pages}/empty.html`);
  await withLibrary(page);
  const reported = page.waitForEvent("pageerror");
  assert.equal(await page.evaluate(() => lib.call("lent.loop_upload", {
    text: "a b", log: () => { throw new RangeError("mine"); }, done: () => {},
  })), 0);
  assert.match((await reported).message, /mine/);
});

/** The folder of a bundle, and what the page in it has been answered. */
async function answerOf(t, folder) {
  const page = await open(t, `/build/bundle/${folder}/index.html`);
  return (await page.waitForFunction(() => window.answer)).jsonValue();
}

test("a bundle of esbuild's runs", async (t) => {
  const esbuild = installed("esbuild");
  const outdir = path("build/bundle/esbuild");
  await esbuild.build({
    entryPoints: [path("bindings/browser/tests/bundle/esbuild.js")],
    outdir, bundle: true, minify: true, format: "esm", loader: { ".wasm": "file" }, logLevel: "warning",
  });
  await writeFile(`${outdir}/index.html`, '<!doctype html><script type="module" src="esbuild.js"></script>');
  assert.equal(await answerOf(t, "esbuild"), "BUNDLED");
});

test("a bundle of Vite's runs", async (t) => {
  const vite = await import(pathToFileURL(path("build/node/node_modules/vite/dist/node/index.js")));
  await vite.build({
    root: path("bindings/browser/tests/bundle"), base: "/build/bundle/vite/", logLevel: "warn",
    build: { outDir: path("build/bundle/vite"), emptyOutDir: true, target: "esnext" },
  });
  assert.equal(await answerOf(t, "vite"), "BUNDLED");
});

test("the types fit", async () => {
  const options = "--noEmit --strict --target esnext --module nodenext --lib esnext,dom,dom.iterable";
  await promisify(execFile)(process.execPath, [
    path("build/node/node_modules/typescript/bin/tsc"), ...options.split(" "), path("bindings/browser/tests/types.ts"),
  ]);
});
