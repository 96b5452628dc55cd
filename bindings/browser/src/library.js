// SPDX-License-Identifier: Apache-2.0

import { Asks } from "./asks.js";
import { Call, Source } from "./call.js";
import { decoder, encoder, Form } from "./codec.js";
import { Closed, NotFound, NotSupported, PillionError } from "./errors.js";
import { Loop, report } from "./loop.js";
import { FROM, OF, TO } from "./records.js";
import { Stream } from "./stream.js";

const utf8 = new TextDecoder();

/** IDs for what lives, from 1 on; those of what has ended serve again. */
class Table {
  #all = [undefined];
  #unused = [];

  add(value) {
    const id = this.#unused.pop() ?? this.#all.length;
    this.#all[id] = value;
    return id;
  }

  get(id) {
    return this.#all[id];
  }

  remove(id) {
    this.#all[id] = undefined;
    this.#unused.push(id);
  }

  *values() {
    for (const value of this.#all) if (value !== undefined) yield value;
  }
}

/** The functions of one module. `load` makes it. */
export class Library {
  #loop;
  #forms = new Map();
  #calls = new Table();
  #providers = new Map();
  #provided = 0; // what Go has asked may reach a provider late, so no ID comes again
  #asks;
  #listener; // of the log
  #mistakes;
  #close = () => {};

  /** @internal */
  constructor() {
    const loop = new Loop((error) => this.#end(error));
    this.#loop = loop;
    this.#asks = new Asks(loop, (kind, id, index) => {
      const of = kind === OF.CALL ? this.#calls : this.#providers;
      return of.get(id)?.functions[index];
    });
    const onCall = (f) => (id, ...rest) => {
      const call = this.#calls.get(id);
      if (call) f(call, ...rest);
    };
    loop.handle(FROM.ASK, (id, of, index, bytes, time) => this.#asks.ask(id, of, index, bytes, time));
    loop.handle(FROM.STOP, (id) => this.#asks.stop(id));
    loop.handle(FROM.LOG, (id, a, b, bytes) => report(new PillionError(utf8.decode(bytes))));
    loop.handle(FROM.FUNCTIONS, (id, mistakes, b, bytes) => this.#register(mistakes, utf8.decode(bytes)));
    loop.handle(FROM.END, (id, status, outcome, bytes) => {
      const call = this.#calls.get(id);
      this.#calls.remove(id);
      call.end(status | 0, bytes);
      call.gone?.();
    });
    loop.handle(FROM.ITEM, onCall((call, index, b, bytes) => call.item(index, bytes)));
    loop.handle(FROM.GRANT, onCall((call, n) => call.source?.grant(n)));
    loop.handle(FROM.REFUSE, onCall((call) => call.source?.stop()));
    loop.handle(FROM.GRANT_ASK, (id, n) => this.#asks.grant(id, n));
    loop.handle(FROM.ASK_ITEM, (id, a, b, bytes) => this.#asks.item(id, bytes));
    loop.handle(FROM.ASK_FINISH, (id) => this.#asks.finish(id));
    loop.handle(FROM.LOG_LINE, (id, a, b, bytes) => this.#listener?.(JSON.parse(utf8.decode(bytes))));
    loop.handle(FROM.REFUSE_ASK, (id) => this.#asks.refuse(id));
  }

  /** @internal */
  get loop() {
    return this.#loop;
  }

  /** @internal */
  started(instance) {
    this.#close = instance.close;
    this.#loop.attach(instance);
    if (this.#loop.error) throw this.#loop.error;
    if (this.#mistakes) throw new PillionError(this.#mistakes);
  }

  #register(mistakes, text) {
    if (mistakes) this.#mistakes = text;
    else text.split("\n").filter(Boolean).forEach((line, i) => {
      const form = new Form(JSON.parse(line), i);
      this.#forms.set(form.name, form);
    });
  }

  #find(name) {
    if (this.#loop.error) throw this.#loop.error;
    const form = this.#forms.get(name);
    if (!form) throw new NotFound(`there is no function ${name}`);
    return form;
  }

  #start(form, request, options, settle, onItem, gone) {
    const call = new Call(this.#loop, form, settle);
    call.onItem = onItem;
    call.gone = gone;
    const id = this.#calls.add(call);
    try {
      call.start(id, request, options);
    } catch (error) {
      this.#calls.remove(id);
      throw error;
    }
    return call;
  }

  #send(call, items) {
    try {
      call.source = new Source(this.#loop, items);
    } catch (error) {
      call.cancel(error);
      return;
    }
    call.source.send(TO.ITEM, TO.FINISH, call.id, call.form.encodeItem).catch((error) => call.cancel(error));
  }

  /** Calls a function. */
  call(name, request, options) {
    return new Promise((resolve, reject) => {
      const form = this.#find(name);
      if (form.gives) throw new NotSupported(`${name} gives items: use stream`);
      if (form.takes) throw new NotSupported(`${name} takes items: use collect`);
      this.#start(form, request, options, (error, value) => (error === undefined ? resolve(value) : reject(error)));
    });
  }

  /** Calls a function that takes items, from any iterable. */
  collect(name, request, items, options) {
    return new Promise((resolve, reject) => {
      const form = this.#find(name);
      if (form.gives || !form.takes) throw new NotSupported(`${name} is no function that takes items only`);
      const call = this.#start(form, request, options, (error, value) => (error === undefined ? resolve(value) : reject(error)));
      this.#send(call, items);
    });
  }

  /** The items of a function; for one that takes items as well, `options.items` are those. */
  stream(name, request, options) {
    const stream = new Stream((onItem, settle) => {
      const form = this.#find(name);
      if (!form.gives) throw new NotSupported(`${name} gives no items: use call`);
      if (form.takes !== Boolean(options?.items)) throw new NotSupported(`${name} ${form.takes ? "needs" : "takes no"} items`);
      const call = this.#start(form, request, options, settle, onItem, stream.gone);
      if (form.takes) this.#send(call, options.items);
      return call;
    });
    return stream;
  }

  /** Provides functions that Go calls by their names, until the result's `close`. */
  provide(name, functions, { bytes = false } = {}) {
    if (this.#loop.error) throw this.#loop.error;
    const type = bytes ? "bytes" : "any";
    const names = Object.keys(functions);
    if ([name, ...names].some((text) => text.includes("\n"))) throw new TypeError("a name is one line");
    const provider = {
      functions: names.map((key) => ({
        call: (value, context) => functions[key](value, context),
        decode: decoder(type),
        encode: encoder(type, `the answer of ${name}.${key}`),
      })),
    };
    const id = ++this.#provided;
    this.#providers.set(id, provider);
    this.#loop.put(TO.PROVIDE, id, 0, 0, 0, [name, ...names].join("\n"));
    let open = true;
    const close = () => {
      if (!open) return;
      open = false;
      this.#providers.delete(id);
      this.#loop.put(TO.WITHDRAW, id, 0, 0, 0);
    };
    return { close, [Symbol.dispose ?? Symbol.for("Symbol.dispose")]: close };
  }

  /** Gives the records that Go functions log, from slog's `level` on, to `listener`. Without one none come. */
  logTo(listener, level = 0) {
    this.#listener = listener;
    this.#loop.put(TO.LISTEN, 0, level, listener ? 1 : 0, 0);
  }

  /** The names of the functions. */
  functions() {
    return [...this.#forms.keys()];
  }

  /** A function's descriptor. */
  describe(name) {
    return structuredClone(this.#find(name).descriptor);
  }

  /** What lives, and how large Go's memory is. */
  counts() {
    return { live: this.#loop.live, memory: this.#loop.memorySize };
  }

  /** Ends all calls with `Closed`. The Go program is not entered any more. */
  close() {
    this.#loop.end(new Closed("the library was closed"));
  }

  #end(error) {
    this.#asks.end();
    this.#close();
    for (const call of this.#calls.values()) {
      call.fail(error);
      call.gone?.();
    }
  }
}
