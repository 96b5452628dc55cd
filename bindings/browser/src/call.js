// SPDX-License-Identifier: Apache-2.0
// Calls of Go functions.

import { Cancelled, errorOf } from "./errors.js";
import { TO } from "./records.js";
import { report } from "./loop.js";

/** How many items may be on their way in each direction. */
export const WINDOW = 32;

/** A call that Go has been told of, until Go tells its end. */
export class Call {
  #loop;
  #consumed = 0;
  #signal;
  #over = false; // its caller knows its end

  /** `settle(error, value)` is called once; after a cancel, the value is true. */
  constructor(loop, form, settle) {
    this.#loop = loop;
    this.form = form;
    this.settle = settle;
    this.id = 0;
    this.functions = undefined;
    this.onItem = undefined;
    this.source = undefined; // of items for Go
  }

  start(id, request, { signal, timeout } = {}) {
    signal?.throwIfAborted();
    if (timeout !== undefined && !(typeof timeout === "number" && timeout >= 0)) {
      throw new TypeError(`the timeout ${timeout} is no number of milliseconds`);
    }
    const { payload, functions } = this.form.request(request);
    this.id = id;
    this.functions = functions;
    const credit = this.form.gives || this.form.lends ? WINDOW : -1;
    const time = timeout === undefined || timeout === Infinity ? 0 : Math.max(timeout, 1e-6);
    this.#loop.put(TO.CALL, id, this.form.index, credit, time, payload);
    if (signal) {
      this.#signal = signal;
      signal.addEventListener("abort", this.#abort);
    }
  }

  #abort = () => this.cancel(this.#signal.reason);

  /** Asks Go to stop. The caller is told at once. */
  cancel(reason = new Cancelled("the call was cancelled")) {
    if (this.#over) return;
    this.#loop.put(TO.CANCEL, this.id, 0, 0, 0);
    this.#finish(reason, true);
  }

  /** An item of the call's: with a function, for that. */
  item(index, bytes) {
    if (this.#over) return;
    if (index === 0) {
      this.onItem(bytes);
      return;
    }
    const { call, decode } = this.functions[index - 1];
    this.consume();
    try {
      const answer = call(decode(bytes));
      answer?.then?.(undefined, report);
    } catch (error) {
      report(error);
    }
  }

  /** An item has been used, so that Go may send another one. */
  consume() {
    if (this.#over || ++this.#consumed < WINDOW / 2) return;
    this.#loop.put(TO.CREDIT, this.id, this.#consumed, 0, 0);
    this.#consumed = 0;
  }

  /** Go tells the end. */
  end(status, bytes) {
    if (this.#over) return;
    if (status !== 0) {
      this.#finish(errorOf(status, bytes));
      return;
    }
    try {
      this.#finish(undefined, this.form.gives ? undefined : this.form.decode(bytes));
    } catch (error) {
      this.#finish(error);
    }
  }

  fail(error) {
    if (!this.#over) this.#finish(error);
  }

  #finish(error, value) {
    this.#over = true;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.source?.stop();
    this.settle(error, value);
  }
}

/** Items that go to Go, of a call or of an answer. */
export class Source {
  #loop;
  #iterator;
  #room = WINDOW;
  #wake;
  #stopped = false;

  constructor(loop, items) {
    this.#loop = loop;
    this.#iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]();
  }

  grant(n) {
    this.#room += n;
    this.#wake?.();
  }

  /** Go reads no more. */
  stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#wake?.();
    Promise.resolve(this.#iterator.return?.()).catch(report);
  }

  /** Sends all items, `what` records of this ID. It resolves when there are no more. */
  async send(what, finish, id, encode) {
    while (!this.#stopped) {
      const { value, done } = await this.#iterator.next();
      if (this.#stopped) return;
      if (done) {
        this.#stopped = true;
        this.#loop.put(finish, id, 0, 0, 0);
        return;
      }
      while (this.#room === 0 && !this.#stopped) {
        await new Promise((resolve) => { this.#wake = resolve; });
      }
      if (this.#stopped) return;
      this.#room--;
      this.#loop.put(what, id, 0, 0, 0, encode(value));
    }
  }
}
