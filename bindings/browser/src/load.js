// SPDX-License-Identifier: Apache-2.0
// The start of a module, in JavaScript and in Node's WASI.

import { Closed, VersionMismatch } from "./errors.js";
import { Library } from "./library.js";

const inNode = typeof process === "object" && Boolean(process.versions?.node);

/** Node's own modules, which bundlers for browsers must not look for. */
const node = (name) => import(/* @vite-ignore */ /* webpackIgnore: true */ `node:${name}`);

/** The absolute URL of what `load` was given, if it has one. */
async function urlOf(source) {
  if (typeof Response === "function" && source instanceof Response) return source.url || undefined;
  if (source instanceof URL) return source.href;
  if (typeof source !== "string") return undefined;
  if (/^[a-z][a-z0-9+.-]+:/i.test(source)) return source;
  if (inNode) return (await node("url")).pathToFileURL(source).href;
  return new URL(source, globalThis.document?.baseURI ?? globalThis.location.href).href;
}

/** Compiles a module. Workers can be sent it, and each load it. */
export async function compile(source) {
  source = await source;
  if (source instanceof WebAssembly.Module) return source;
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return WebAssembly.compile(source);
  const url = await urlOf(source);
  if (url?.startsWith("file:") && inNode) {
    return WebAssembly.compile(await (await node("fs/promises")).readFile(new URL(url)));
  }
  const response = typeof source === "string" || source instanceof URL ? await fetch(url) : source;
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  if (response.headers.get("content-type")?.startsWith("application/wasm")) {
    return WebAssembly.compileStreaming(response);
  }
  return WebAssembly.compile(await response.arrayBuffer());
}

/** The classes Go of the scripts wasm_exec.js, by their URLs. */
const glues = new Map();
let importing = Promise.resolve();

/** Imports one script at a time: each leaves its class in the same global variable. */
function importGlue(url) {
  if (!glues.has(url)) {
    importing = importing.catch(() => {}).then(async () => {
      // Go then reads files in Node; without it the script puts an empty one there.
      if (inNode) globalThis.fs ??= (await node("fs")).default;
      await import(/* @vite-ignore */ /* webpackIgnore: true */ url);
      return globalThis.Go;
    });
    glues.set(url, importing);
    importing.catch(() => glues.delete(url));
  }
  return glues.get(url);
}

async function startJS(module, library, url, glue) {
  let Go = typeof glue === "function" ? glue : undefined;
  if (!Go && (glue || url)) Go = await importGlue(new URL(glue ?? "wasm_exec.js", url).href);
  Go ??= globalThis.Go;
  if (!Go) throw new TypeError("load needs the option glue: the URL of wasm_exec.js, or its class Go");
  const go = new Go();
  go.exit = (code) => library.loop.end(new Closed(`the Go program has ended with code ${code}`));
  const imports = { ...go.importObject, pillion: { wake: library.loop.wake } };
  const { exports } = await WebAssembly.instantiate(module, imports).then((instance) => {
    go.run(instance).catch(() => {});
    return instance;
  });
  return {
    exports,
    memory: exports.mem,
    resume: () => exports.resume(),
    close: () => {
      for (const id of go._scheduledTimeouts?.values() ?? []) clearTimeout(id);
    },
  };
}

async function startWASI(module, library) {
  if (!inNode) throw new VersionMismatch("a module for WASI runs in Node only");
  const { WASI } = await node("wasi");
  const wasi = new WASI({ version: "preview1", returnOnExit: true });
  const instance = await WebAssembly.instantiate(module, {
    ...wasi.getImportObject(), pillion: { wake: library.loop.wake },
  });
  wasi.initialize(instance);
  const { exports } = instance;
  let timer;
  const resume = () => {
    exports.pillion_resume();
    clearTimeout(timer);
    // Nothing tells when a goroutine that sleeps is due.
    if (library.loop.live > 0) timer = setTimeout(library.loop.wake, 1);
  };
  return { exports, memory: exports.memory, resume, close: () => clearTimeout(timer) };
}

/**
 * Starts a module: `source` is a URL, a path in Node, a Response, bytes, or what `compile`
 * gave. Each load has its own memory.
 */
export async function load(source, { glue } = {}) {
  source = await source;
  const url = await urlOf(source);
  const module = await compile(source);
  const imports = WebAssembly.Module.imports(module);
  if (!imports.some((i) => i.module === "pillion")) {
    throw new VersionMismatch("the module was not built by Pillion's build command");
  }
  const library = new Library();
  const wasi = imports.some((i) => i.module === "wasi_snapshot_preview1");
  library.started(wasi ? await startWASI(module, library) : await startJS(module, library, url, glue));
  return library;
}
