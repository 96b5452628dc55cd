// SPDX-License-Identifier: Apache-2.0
// Assertions that are the same in Node and in browsers.

function text(value) {
  return JSON.stringify(value, (key, v) => {
    if (v === undefined) return "undefined";
    if (ArrayBuffer.isView(v)) return `bytes ${[...v]}`;
    return typeof v === "bigint" ? `${v}n` : v;
  });
}

export function equal(got, want, what = "value") {
  if (text(got) !== text(want)) throw new Error(`${what}: ${text(got)}, not ${text(want)}`);
}

/** The error of a promise, which must be of the class, and have these members. */
export async function fails(promise, type, members = {}) {
  let error;
  try {
    await promise;
  } catch (e) {
    error = e;
  }
  if (!(error instanceof type)) throw new Error(`the error is ${error}, not of ${type.name}`);
  for (const [key, want] of Object.entries(members)) equal(error[key], want, `${type.name}.${key}`);
  return error;
}

/** Waits until `look` gives true; it has turns of the event loop between. */
export async function until(look) {
  while (!(await look())) await turn();
}

/** One turn of the event loop. */
export const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

export async function all(items) {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Nothing of earlier cases lives any more. */
export async function quiet(lib) {
  await until(() => lib.counts().live === 0);
}
