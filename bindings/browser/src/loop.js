// SPDX-License-Identifier: Apache-2.0
// The turns of Go's executor on this event loop, and the records that cross with them. The
// documentation of Go's package foreign/js says what records are.

import { Closed, VersionMismatch } from "./errors.js";

const HEAD = 32;
const PAGE = { version: 0, flags: 4, turns: 8, live: 12, in: 16, room: 20, out: 24, used: 28, now: 32, after: 40 };
const MORE = 1;
const RUNNABLE = 2;

const VERSION = 1;

// Turns follow each other in microtasks for so many milliseconds. The next one is a task of
// its own, so that the window is drawn and other events have their turn. A single turn is
// bounded as well.
const SLICE = 4;
const POLLS = 4096;

const LONGEST = 2 ** 31 - 1; // what setTimeout can wait

const encoder = new TextEncoder();

/** Makes the function that runs `task` in a task of its own. */
function hopper(task) {
  if (typeof setImmediate === "function") return () => setImmediate(task);
  const { port1, port2 } = new MessageChannel(); // timers are throttled in hidden tabs, this is not
  port1.onmessage = task;
  return () => port2.postMessage(0);
}

export class Loop {
  #instance;
  #memory;
  #resume;
  #ended;
  #handlers = [];
  #page = 0;
  #bytes = new Uint8Array();
  #view;
  #used = 0; // bytes of records to Go
  #turns = 0;
  #busy = false; // Go runs, or its records are read
  #later = []; // records that came meanwhile
  #scheduled = false;
  #since = -Infinity; // when this slice began, by Go's clock
  #fresh = true; // the next turn begins a slice
  #late = false; // this slice is over
  #timer;
  #due = Infinity;
  #died;

  /** `ended` is told the error when Go has ended. */
  constructor(ended) {
    this.#ended = ended;
    this.#hop = hopper(() => {
      this.#fresh = true;
      this.#turn();
    });
  }

  #hop;

  /** Makes the first turn of an instance whose Go has been started. */
  attach({ exports, memory, resume }) {
    this.#instance = exports;
    this.#memory = memory;
    this.#resume = resume;
    this.#page = exports.pillion_page();
    const version = this.#look().getUint32(this.#page + PAGE.version, true);
    if (version !== VERSION) throw new VersionMismatch(`the module speaks version ${version}, this package ${VERSION}`);
    this.#turn();
  }

  /** Sets the handler `(id, a, b, bytes, time)` of a kind of records. It copies the bytes. */
  handle(what, handler) {
    this.#handlers[what] = handler;
  }

  /** The milliseconds of Go's clock at the latest turn, and its live tasks. */
  get now() {
    return this.#look().getFloat64(this.#page + PAGE.now, true);
  }

  get live() {
    return this.#died ? 0 : this.#look().getUint32(this.#page + PAGE.live, true);
  }

  get memorySize() {
    return this.#died ? 0 : this.#memory.buffer.byteLength;
  }

  get error() {
    return this.#died;
  }

  /** Go asks for a turn. It may ask before attach, and while it runs. */
  wake = () => this.#schedule();

  /** Tells Go something. The payload is copied. */
  put(what, id, a, b, time, payload) {
    if (this.#died) return;
    if (typeof payload === "string" && payload.length > 1024) payload = encoder.encode(payload);
    const length = payload == null ? 0 : typeof payload === "string" ? payload.length * 3 : payload.byteLength;
    const at = this.#used;
    let view = this.#look();
    if (at + HEAD + length + 8 > view.getUint32(this.#page + PAGE.room, true)) {
      if (this.#busy) {
        this.#later.push([what, id, a, b, time, typeof payload === "string" ? payload : payload.slice()]);
        return;
      }
      if (!this.#enter(() => this.#instance.pillion_room(at, at + HEAD + length + 8))) return;
      view = this.#look();
    } else if (this.#running) {
      this.#later.push([what, id, a, b, time, typeof payload === "string" ? payload : payload?.slice()]);
      return;
    }
    const to = view.getUint32(this.#page + PAGE.in, true) + at;
    let written = length;
    if (typeof payload === "string") {
      written = encoder.encodeInto(payload, this.#bytes.subarray(to + HEAD, to + HEAD + length)).written;
    } else if (length > 0) {
      this.#bytes.set(payload, to + HEAD);
    }
    view.setUint32(to, what, true);
    view.setUint32(to + 4, id, true);
    view.setUint32(to + 8, a, true);
    view.setUint32(to + 12, b, true);
    view.setUint32(to + 20, written, true);
    view.setFloat64(to + 24, time, true);
    this.#used = at + HEAD + Math.ceil(written / 8) * 8;
    this.#schedule();
  }

  #running = false; // Go runs

  /** The view of Go's memory, which moves when it grows. */
  #look() {
    const { buffer } = this.#memory;
    if (buffer !== this.#bytes.buffer) {
      this.#bytes = new Uint8Array(buffer);
      this.#view = new DataView(buffer);
    }
    return this.#view;
  }

  #schedule() {
    if (this.#scheduled || this.#died) return;
    this.#scheduled = true;
    if (this.#late) this.#hop();
    else queueMicrotask(this.#microtask);
  }

  #microtask = () => this.#turn();

  /** Enters Go. It reports whether Go still lives. */
  #enter(call) {
    this.#running = true;
    try {
      call();
    } catch (error) {
      this.end(new Closed(`the Go program has ended: ${String(error)}`));
    }
    this.#running = false;
    return !this.#died;
  }

  #turn() {
    if (this.#died || !this.#instance) return;
    const used = this.#used;
    this.#used = 0;
    this.#scheduled = this.#running = this.#busy = true;
    try {
      this.#instance.pillion_turn(used, POLLS, SLICE);
    } catch (error) {
      this.end(new Closed(`the Go program has ended: ${String(error)}`));
    }
    this.#running = false;
    if (this.#died) return;
    let view = this.#look();
    if (view.getUint32(this.#page + PAGE.turns, true) !== ++this.#turns) {
      this.end(new Closed("a Go function on the loop has blocked, which ends the program"));
      return;
    }
    const flags = view.getUint32(this.#page + PAGE.flags, true);
    const now = view.getFloat64(this.#page + PAGE.now, true);
    const after = view.getFloat64(this.#page + PAGE.after, true);
    if (this.#fresh) {
      this.#fresh = false;
      this.#since = now;
    }
    this.#late = now - this.#since > SLICE;
    this.#scheduled = false;
    this.#drain();
    if (flags & RUNNABLE && this.#enter(this.#resume)) this.#drain();
    this.#busy = false;
    if (this.#died) return;
    if (this.#later.length > 0) {
      for (const record of this.#later.splice(0)) this.put(...record);
    }
    if (flags & MORE) this.#schedule();
    this.#arm(now, after);
  }

  /** Hands out the records of Go's. */
  #drain() {
    let view = this.#look();
    const from = view.getUint32(this.#page + PAGE.out, true);
    const end = from + view.getUint32(this.#page + PAGE.used, true);
    for (let at = from; at < end; ) {
      const address = view.getUint32(at + 16, true);
      const length = view.getUint32(at + 20, true);
      const start = address || at + HEAD;
      try {
        this.#handlers[view.getUint32(at, true)](view.getUint32(at + 4, true), view.getUint32(at + 8, true),
          view.getUint32(at + 12, true), this.#bytes.subarray(start, start + length), view.getFloat64(at + 24, true));
      } catch (error) {
        report(error);
      }
      if (this.#died) return;
      view = this.#look();
      at = address ? at + HEAD : at + HEAD + Math.ceil(length / 8) * 8;
    }
    view.setUint32(this.#page + PAGE.used, 0, true);
  }

  /** Keeps one timer, for the deadline. An earlier one that is not needed any more may fire. */
  #arm(now, after) {
    if (after < 0) {
      if (this.#due !== Infinity) clearTimeout(this.#timer);
      this.#due = Infinity;
    } else if (now + after < this.#due) {
      clearTimeout(this.#timer);
      this.#due = now + after;
      this.#timer = setTimeout(this.#fired, Math.min(Math.ceil(after), LONGEST));
    }
  }

  #fired = () => {
    this.#due = Infinity;
    this.#fresh = true;
    this.#schedule();
  };

  /** Ends the loop; Go is not entered any more. */
  end(error) {
    if (this.#died) return;
    this.#died = error;
    clearTimeout(this.#timer);
    this.#later = [];
    this.#instance = this.#memory = this.#resume = undefined;
    this.#bytes = this.#view = undefined;
    this.#ended(error);
  }
}

/** Reports an error that no promise can carry. */
export function report(error) {
  if (typeof reportError === "function") reportError(error);
  else queueMicrotask(() => { throw error; });
}
