// SPDX-License-Identifier: Apache-2.0
// What Go asks of JavaScript: functions that are provided or lent, and fetch.

import { Source, WINDOW } from "./call.js";
import { Cancelled, failure, GoError, NotFound } from "./errors.js";
import { request, response } from "./fetch.js";
import { OF, TO } from "./records.js";

const same = (bytes) => bytes;

const gaveUp = () => new DOMException("Go gave up", "AbortError");

/** Items of Go's, for a function that reads them. */
class Inlet {
  #credit;
  #decode;
  #items = [];
  #waiting = [];
  #over = false;
  #stopped = false;
  #consumed = 0;

  constructor(decode, credit) {
    this.#decode = decode;
    this.#credit = credit;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  push(bytes) {
    if (this.#over) return;
    const value = this.#decode(bytes);
    if (this.#waiting.length > 0) this.#give(this.#waiting.shift().resolve, value);
    else this.#items.push(value);
  }

  #give(resolve, value) {
    if (++this.#consumed === WINDOW / 2) {
      this.#credit(this.#consumed);
      this.#consumed = 0;
    }
    resolve({ value, done: false });
  }

  finish() {
    this.#over = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
  }

  /** Go gave up, and not because there are no more. */
  stop() {
    if (this.#over) return;
    this.#over = this.#stopped = true;
    this.#items = [];
    for (const { reject } of this.#waiting.splice(0)) reject(gaveUp());
  }

  next() {
    return new Promise((resolve, reject) => {
      if (this.#items.length > 0) this.#give(resolve, this.#items.shift());
      else if (this.#stopped) reject(gaveUp());
      else if (this.#over) resolve({ value: undefined, done: true });
      else this.#waiting.push({ resolve, reject });
    });
  }

  async return(value) {
    this.#items = [];
    this.finish();
    return { value, done: true };
  }
}

/** What a function is told beside its request. */
class Context {
  #controller;
  #timeout;

  constructor(timeout, items) {
    this.#timeout = timeout;
    this.stopped = false;
    this.items = items;
  }

  /** Aborted when Go gives up. */
  get signal() {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.stopped) this.stop();
    }
    return this.#controller.signal;
  }

  /** The milliseconds that Go waits at most. */
  get timeout() {
    return this.#timeout || undefined;
  }

  stop() {
    this.stopped = true;
    this.#controller?.abort(gaveUp());
  }
}

export class Asks {
  #loop;
  #open = new Map();
  #functionOf;

  /** `functionOf(kind, id, index)` finds a function that is provided or lent. */
  constructor(loop, functionOf) {
    this.#loop = loop;
    this.#functionOf = functionOf;
  }

  ask(id, of, index, bytes, timeout) {
    const kind = of & OF.KIND;
    const found = kind === OF.FETCH
      ? { call: fetching, decode: request, encode: same }
      : this.#functionOf(kind, of >>> OF.SHIFT, index);
    if (!found) {
      this.#answer(id, NotFound.status);
      return;
    }
    const inlet = of & OF.READS
      ? new Inlet(found.decode, (n) => { if (this.#open.has(id)) this.#loop.put(TO.ASK_CREDIT, id, n, 0, 0); })
      : undefined;
    const context = new Context(timeout, inlet);
    const open = { context, source: undefined };
    this.#open.set(id, open);
    let answer;
    let later;
    try {
      answer = found.call(found.decode(bytes), context);
      later = typeof answer?.then === "function";
    } catch (error) {
      this.#fail(id, open, error);
      return;
    }
    if (of & OF.ITEMS) this.#give(id, open, found, answer);
    else if (later) this.#wait(id, open, found, answer);
    else this.#succeed(id, open, found.encode, answer);
  }

  async #give(id, open, { encode }, answer) {
    try {
      open.source = new Source(this.#loop, await answer);
      if (open.context.stopped) open.source.stop();
      await open.source.send(TO.GIVE, TO.END, id, encode);
      this.#answer(id, open.context.stopped ? Cancelled.status : 0);
    } catch (error) {
      this.#loop.put(TO.END, id, 0, 0, 0);
      this.#fail(id, open, error);
    }
  }

  #wait(id, open, { encode }, answer) {
    Promise.resolve(answer).then((value) => this.#succeed(id, open, encode, value), (error) => this.#fail(id, open, error));
  }

  #succeed(id, open, encode, value) {
    let payload;
    try {
      payload = encode(value);
    } catch (error) {
      this.#fail(id, open, error);
      return;
    }
    this.#answer(id, 0, payload);
  }

  /** An error after Go gave up is its acknowledgement. */
  #fail(id, open, error) {
    const aborted = open.context.stopped && error?.name === "AbortError";
    if (aborted) this.#answer(id, Cancelled.status);
    else this.#answer(id, GoError.status, failure(error));
  }

  #answer(id, status, payload) {
    this.#open.delete(id);
    this.#loop.put(TO.SETTLE, id, status, 0, 0, payload);
  }

  stop(id) {
    const open = this.#open.get(id);
    open?.context.stop();
    open?.context.items?.stop();
    open?.source?.stop();
  }

  item(id, bytes) {
    this.#open.get(id)?.context.items.push(bytes);
  }

  finish(id) {
    this.#open.get(id)?.context.items.finish();
  }

  grant(id, n) {
    this.#open.get(id)?.source?.grant(n);
  }

  refuse(id) {
    this.#open.get(id)?.source?.stop();
  }

  /** Go has ended, and waits for nothing any more. */
  end() {
    for (const id of this.#open.keys()) this.stop(id);
    this.#open.clear();
  }
}

async function fetching({ url, ...init }, context) {
  return response(await fetch(url, { ...init, signal: context.signal }));
}
