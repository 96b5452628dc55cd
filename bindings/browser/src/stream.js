// SPDX-License-Identifier: Apache-2.0

/** The items of a call, as an async iterator. The first `next` makes the call. */
export class Stream {
  #begin;
  #call;
  #items = []; // those that the program has not asked for yet
  #waiting = []; // nexts
  #over = false; // nothing comes any more
  #error; // to be told after the items
  #ended;
  #end;

  /** `begin(onItem, settle)` makes the call. */
  constructor(begin) {
    this.#begin = begin;
    this.#ended = new Promise((resolve) => { this.#end = resolve; });
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async next() {
    if (!this.#call && !this.#over) {
      try {
        this.#call = this.#begin(this.#onItem, this.#settle);
      } catch (error) {
        this.#over = true;
        this.#end();
        throw error;
      }
    }
    if (this.#items.length > 0) {
      this.#call.consume();
      return { value: this.#items.shift(), done: false };
    }
    if (!this.#over) return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error.error;
    return { value: undefined, done: true };
  }

  /** Ends the call, also while a `next` waits. It does not wait for Go. */
  async return(value) {
    this.#stop();
    return { value, done: true };
  }

  async throw(error) {
    this.#stop();
    throw error;
  }

  /** Ends the call and waits for Go's end of it. */
  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    const begun = this.#call;
    this.#stop();
    if (begun) await this.#ended;
  }

  #stop() {
    if (this.#over) return;
    this.#over = true;
    this.#items = [];
    this.#call?.cancel();
    for (const { resolve } of this.#waiting.splice(0)) resolve({ value: undefined, done: true });
  }

  #onItem = (bytes) => {
    let value;
    try {
      value = this.#call.form.decodeItem(bytes);
    } catch (error) {
      this.#call.cancel(error);
      return;
    }
    if (this.#waiting.length > 0) {
      this.#call.consume();
      this.#waiting.shift().resolve({ value, done: false });
    } else {
      this.#items.push(value);
    }
  };

  /** The caller's end: Go's, or a cancel, which throws away what waits. */
  #settle = (error, cancelled) => {
    if (this.#over) return;
    this.#over = true;
    if (cancelled) this.#items = [];
    const waiting = this.#waiting.splice(0);
    if (error !== undefined) {
      if (waiting.length > 0) waiting.shift().reject(error);
      else this.#error = { error };
    }
    for (const { resolve } of waiting) resolve({ value: undefined, done: true });
  };

  /** Go's end of the call. */
  gone = () => this.#end();
}
