// SPDX-License-Identifier: Apache-2.0
// The page in Chromium. With SCREENSHOTS=folder it leaves pictures there.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";

import { launch } from "../../../bindings/browser/tests/chromium.js";
import { serve } from "../../../bindings/browser/tests/server.js";

const { origin, close } = await serve();
const browser = await launch();
after(async () => {
  await browser.close();
  close();
});

async function open(t, options) {
  const page = await browser.newPage({ viewport: { width: 1120, height: 760 }, ...options });
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  t.after(async () => {
    await page.close();
    assert.deepEqual(errors, []);
  });
  await page.goto(`${origin}/tests/examples/browser/index.html`);
  return page;
}

const picture = (page, name) =>
  process.env.SCREENSHOTS && page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png` });

/** Drops files of so many megabytes, whose bytes are all 1. */
const dropped = (page, sizes) => page.evaluate((list) => {
  const dataTransfer = new DataTransfer();
  const block = new Blob([new Uint8Array(1e6).fill(1)]);
  list.forEach((n, i) => dataTransfer.items.add(new File(Array(n).fill(block), `dropped ${i}.bin`)));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}, sizes);

const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");

test("files that are chosen and dropped are hashed", async (t) => {
  const page = await open(t);
  await picture(page, "empty");
  const files = [0, 1, 300000, 5000000].map((size, i) => ({
    name: `file-${i}.bin`, mimeType: "application/octet-stream", buffer: Buffer.alloc(size, i),
  }));
  await page.locator("#pick").setInputFiles(files);
  await dropped(page, [1]);
  await page.waitForFunction(() => document.querySelectorAll("li.done").length === 5);
  const got = await page.locator("li").evaluateAll((rows) =>
    rows.map((row) => [row.querySelector(".name").textContent, row.querySelector(".state").textContent]));
  const want = [...files.map(({ name, buffer }) => [name, sha(buffer)]), ["dropped 0.bin", sha(Buffer.alloc(1e6, 1))]];
  assert.deepEqual(got.sort(), want.sort());
  assert.equal(await page.locator("#summary").textContent(), "5 done");
  assert.equal(await page.locator("#cancel").isDisabled(), true);
  await picture(page, "done");
});

test("a cancel ends files in work and those that wait", async (t) => {
  const page = await open(t, { colorScheme: "dark" });
  await dropped(page, Array(6).fill(200));
  await page.waitForFunction(() => Number.parseFloat(document.getElementById("rate").textContent) > 0);
  await picture(page, "working");
  await page.getByLabel("Cancel dropped 5.bin").click();
  await page.locator("#cancel").click();
  await page.waitForFunction(() => document.querySelectorAll("li.cancelled").length === 6);
  assert.equal(await page.locator("#summary").textContent(), "6 cancelled");
  await dropped(page, [1]); // the workers serve on
  await page.waitForFunction(() => document.querySelectorAll("li.done").length === 1);
  await picture(page, "cancelled");
});
