// SPDX-License-Identifier: Apache-2.0

import { compile } from "../../../bindings/browser/src/index.js";
import { drawFrames } from "./frames.js";
import { Pool } from "./pool.js";

const module = new URL("/build/examples/hash.wasm", location.href);
const $ = (id) => document.getElementById(id);

const size = (bytes) => {
  if (bytes === 1) return "1 byte";
  for (const unit of ["bytes", "kB", "MB"]) {
    if (bytes < 1000) return `${unit === "bytes" ? bytes : bytes.toPrecision(3)} ${unit}`;
    bytes /= 1000;
  }
  return `${bytes.toPrecision(3)} GB`;
};

const workers = Math.min(navigator.hardwareConcurrency || 2, 4);
const pool = compile(module).then((compiled) => new Pool(workers, compiled, new URL("wasm_exec.js", module).href));
$("workers").textContent = workers;

const counts = { done: 0, failed: 0, cancelled: 0, open: 0 };
const open = new Set(); // the AbortControllers of the files
let hashed = 0; // bytes, for the rate

function summarise() {
  const texts = [[counts.open, "in work"], [counts.done, "done"], [counts.cancelled, "cancelled"], [counts.failed, "failed"]];
  $("summary").textContent = texts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`).join(" · ") || "No files yet";
  $("cancel").disabled = counts.open === 0;
}

/** The row of a file, in the list. */
function row(file, cancel) {
  const item = document.createElement("li");
  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
    item.append(element);
    return element;
  };
  make("span", "name", file.name).title = file.name;
  make("span", "size", size(file.size));
  const button = make("button", "", "✕");
  button.type = "button";
  button.setAttribute("aria-label", `Cancel ${file.name}`);
  button.onclick = cancel;
  const bar = make("progress", "", "");
  bar.max = file.size || 1;
  bar.value = 0;
  const state = make("span", "state", "waiting");
  $("list").append(item);
  return { item, bar, state };
}

async function add(file) {
  const controller = new AbortController();
  const { item, bar, state } = row(file, () => controller.abort());
  open.add(controller);
  counts.open++;
  summarise();
  let end;
  try {
    let before = 0;
    state.textContent = await (await pool).hash(file, {
      signal: controller.signal,
      progress: (done) => {
        hashed += done - before;
        bar.value = before = done;
        state.textContent = `${Math.floor((100 * done) / file.size)} %`;
      },
    });
    end = "done";
  } catch (error) {
    end = controller.signal.aborted ? "cancelled" : "failed";
    state.textContent = end === "failed" ? error.message : "cancelled";
  }
  item.className = end;
  open.delete(controller);
  counts.open--;
  counts[end]++;
  summarise();
}

const addAll = (files) => [...files].forEach(add);

$("pick").onchange = ({ target }) => {
  addAll(target.files);
  target.value = "";
};
$("cancel").onclick = () => open.forEach((controller) => controller.abort());

const drop = $("drop");
for (const [type, over] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]]) {
  drop.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", over);
    if (type === "drop") addAll(event.dataTransfer.files);
  });
}
// A file that misses must not replace the page.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());

drawFrames($("frames"), (latest, worst) => {
  $("latest").textContent = `${latest.toFixed(1)} ms`;
  $("worst").textContent = `${worst.toFixed(1)} ms`;
});
let rate = 0;
setInterval(() => {
  rate = counts.open > 0 ? (rate + 4 * hashed) / 2 : 0;
  hashed = 0;
  $("rate").textContent = rate > 0 ? `${size(Math.round(rate))}/s` : "–";
}, 250);
