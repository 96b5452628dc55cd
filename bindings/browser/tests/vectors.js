// SPDX-License-Identifier: Apache-2.0
// Replays the vectors of calls on a module: tests/conformance/README.md describes them. It
// tells Go records of its own, so that credit is what a vector says.

import { errorOf } from "../src/errors.js";
import { FROM, OF, TO } from "../src/records.js";

const STATUS = { "-11": "cancelled", "-16": "late", "-12": "panic" };
const FAILED = -13;
const NONE = -14;
const CANCELLED = -11;
const WINDOW = 32;

// What modules don't have: other threads, a clock of the host's, windows of providers, the name
// of the call that asks a provider, the end of an executor alone. A handler's items from Go
// need no credit.
const MISSING = ["elsewhere", "advance", "close", "free", "pour", "window", "for", "busy"];

const decoder = new TextDecoder();
const textOf = (word) => (word === "''" ? "" : word);
const wordOf = (bytes) => decoder.decode(bytes) || "''";
const hop = () => new Promise((resolve) => setTimeout(resolve, 0));

/** The words of a line; x3..x5 becomes x3 x4 x5. */
function wordsOf(line) {
  return line.replace(/#.*/, "").split(/\s+/).filter(Boolean).flatMap((word) => {
    const [, name, from, to] = word.match(/^([^0-9]+)([0-9]+)\.\.[^0-9]*([0-9]+)$/) ?? [];
    if (!name) return [word];
    return Array.from({ length: to - from + 1 }, (_, i) => name + (Number(from) + i));
  });
}

/** The cases of a file, each a name and its lines. */
function casesOf(text) {
  const cases = [];
  text.split("\n").forEach((line, i) => {
    const words = wordsOf(line);
    if (words[0] === "case") cases.push({ name: words[1], lines: [] });
    else if (words.length > 0) cases.at(-1).lines.push({ at: i + 1, words });
  });
  return cases;
}

/** Whether a module can do all that a case says. */
function possible({ lines }, kind) {
  const shapes = lines.filter(({ words: [first] }) => ["call", "stream", "collect", "duplex"].includes(first));
  const has = (verb) => lines.some(({ words: [first] }) => first === verb);
  if (kind === "pool" || (has("provide") && shapes.length > 1)) return false;
  // A cancel ends such a call, though its goroutine still waits for the provider's answer.
  if (kind === "goroutine" && has("provide") && has("cancel")) return false;
  return lines.every(({ words }) => {
    if (words[0] === "on") return words.includes(kind);
    if (["collect", "duplex"].includes(words[0])) return kind === "goroutine";
    return !MISSING.some((word) => words.includes(word)) && !words[0].startsWith("deadline:")
      && !(words[0] === "turn" && words[1] === "0");
  });
}

class Call {
  constructor([shape, name, ...rest], id) {
    const at = rest.indexOf(":");
    this.id = id;
    this.name = name;
    this.shape = shape;
    this.script = rest.slice(at + 1);
    this.gives = shape === "stream" || shape === "duplex";
    this.reads = shape === "collect" || shape === "duplex";
    const how = rest.slice(0, at);
    const number = (word) => (how.includes(word) ? Number(how[how.indexOf(word) + 1]) : 0);
    this.credit = number("credit");
    this.lends = number("lends");
    this.sends = how.includes("sending") || (this.reads && !how.includes("silent"));
    this.granted = this.credit; // until it is taken
    this.capacity = 2 ** Math.ceil(Math.log2(this.credit)); // as the library has it
    this.room = WINDOW;
  }
}

/** Plays all cases of a file. `differs` is told of those that went differently. */
export async function replay(host, text, patience, differs) {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const one of casesOf(text)) {
    const skips = !possible(one, host.kind);
    const difference = skips ? undefined : await host.play(one, patience);
    if (difference) differs({ name: one.name, ...difference });
    count[skips ? "skipped" : difference ? "failed" : "passed"]++;
  }
  return count;
}

/** A host of one module, and of one case after another. */
export class Host {
  #next = 1; // of the IDs; none comes again
  #all = new Map(); // calls, by ID

  constructor(library, kind) {
    this.loop = library.loop;
    this.kind = kind;
    this.indices = new Map(library.functions().map((name, i) => [name, i]));
    const on = (what, f) => this.loop.handle(what, f);
    const flow = (f) => (id, ...rest) => f(this.#all.get(id), ...rest);
    on(FROM.END, flow((call, status, outcome, bytes) => this.#ended(call, status | 0, outcome, bytes)));
    on(FROM.ITEM, flow((call, index, b, bytes) => {
      if (call.cancelled) return;
      this.#told(call.name, `${call.name}${index ? `:${index - 1}:` : ">"}${wordOf(bytes)}`, call);
    }));
    on(FROM.GRANT, flow((call, n) => this.#granted(call, n)));
    on(FROM.REFUSE, flow((call) => this.#refused(call)));
    on(FROM.ASK, (id, of, index, bytes) => this.#asked(id, of, index, wordOf(bytes)));
    on(FROM.STOP, (id) => this.#stop(this.asks.get(id)));
    on(FROM.GRANT_ASK, (id, n) => this.#granted(this.asks.get(id), n));
    on(FROM.REFUSE_ASK, (id) => this.#refused(this.asks.get(id)));
  }

  #begin() {
    this.number = this.#next++;
    Object.assign(this, { calls: new Map(), asks: new Map(), byName: new Map(), providers: new Map(), events: [] });
  }

  #told(owner, word, call) {
    this.events.push({ owner, word, call });
  }

  #ended(call, status, outcome, bytes) {
    this.#all.delete(call.id);
    if (call.resolve) {
      call.resolve(decoder.decode(bytes));
      return;
    }
    call.over = true;
    let how = STATUS[status];
    if (status === 0) how = wordOf(bytes);
    else if (status !== -12 && outcome === 1) how = "unstarted";
    else if (status === FAILED) how = `failed:${errorOf(status, bytes).message}`;
    this.#told(call.name, `${call.name}=${how ?? status}`);
  }

  #granted(to, n) {
    to.room += n;
    if (to.waits) this.#told(to.name, `${to.name}~`);
    to.waits = false;
  }

  #refused(to) {
    to.refused = true;
    if (to.waits) this.#told(to.name, `${to.name}~closed`);
    to.waits = false;
  }

  #asked(id, of, index, name) {
    const from = of >>> OF.SHIFT;
    const lender = (of & OF.KIND) === OF.CALL ? this.#all.get(from) : undefined;
    const provider = this.providers.get(from);
    if (lender ? index >= lender.lends : !provider) {
      this.loop.put(TO.SETTLE, id, NONE, 0, 0);
      return;
    }
    const token = lender?.name ?? provider;
    const ask = { id, name, token, open: true, sends: Boolean(of & OF.ITEMS), room: WINDOW };
    this.asks.set(id, ask);
    this.byName.set(name, ask);
    this.#told(name, `${token}?${index}:${name}${lender ? "" : `@${[...this.calls.keys()][0]}`}`);
  }

  #stop(ask) {
    if (ask.open) this.#told(ask.name, `${ask.token}!${ask.name}`);
  }

  /** Calls a function beside the case. */
  #control(name, request) {
    return new Promise((resolve) => this.#put(name, { id: this.#next++, resolve }, request));
  }

  #put(name, call, request) {
    this.#all.set(call.id, call);
    this.loop.put(TO.CALL, call.id, this.indices.get(name), call.credit || -1, 0, JSON.stringify(request));
  }

  // ---- Verbs ----

  submit(call) {
    if (call.sends && !call.reads) return "invalid";
    if ((call.gives && !call.credit) || (call.reads && !call.sends)) return "unsupported";
    const name = `vector.${this.kind === "loop" ? "loop_" : ""}${call.shape}`;
    const places = [0, 1, 2, 3];
    this.#put(name, call, { play: this.number, name: call.name, script: call.script, ask: places, tell: places });
    return "ok";
  }

  credit(call, n) {
    if (call.over) return "finished";
    if (call.open || !(call.gives || (call.lends && call.credit))) return "invalid";
    const added = Math.min(n, call.capacity - call.granted);
    call.granted += added;
    this.loop.put(TO.CREDIT, call.id, added, 0, 0);
    return String(added);
  }

  send(to, word) {
    if (to.over) return "finished";
    if (!to.sends) return "invalid";
    if (to.finished || to.refused) return "closed";
    if (to.room === 0) {
      to.waits = true;
      return "again";
    }
    to.room--;
    this.loop.put(to.open ? TO.GIVE : TO.ITEM, to.id, 0, 0, 0, textOf(word));
    return "ok";
  }

  finish(to) {
    if (to.over) return "finished";
    if (!to.sends) return "invalid";
    if (!to.finished) this.loop.put(to.open ? TO.END : TO.FINISH, to.id, 0, 0, 0);
    to.finished = true;
    return "ok";
  }

  cancel(call) {
    if (call.over) return "finished";
    if (call.cancelled) return "already";
    call.cancelled = true;
    this.events = this.events.filter((e) => e.call !== call);
    this.loop.put(TO.CANCEL, call.id, 0, 0, 0);
    return "asked";
  }

  answer(ask, word) {
    if (!ask.open) return "finished";
    if (ask.sends) this.finish(ask);
    ask.open = false;
    ask.over = true;
    if (word === "!cancelled") this.loop.put(TO.SETTLE, ask.id, CANCELLED, 0, 0);
    else if (word.startsWith("!failed:")) this.loop.put(TO.SETTLE, ask.id, FAILED, 0, 0, failed(word.slice(8)));
    else this.loop.put(TO.SETTLE, ask.id, 0, 0, 0, textOf(word));
    return "ok";
  }

  accept(ask) {
    if (!ask.open) return "finished";
    ask.token = ask.name;
    return "ok";
  }

  provide(name) {
    const id = this.#next++;
    this.providers.set(id, name);
    this.loop.put(TO.PROVIDE, id, 0, 0, 0, "vector.Host\nother\nfetch\nfeed\nsum");
    return "ok";
  }

  withdraw(name) {
    const id = [...this.providers.keys()].find((key) => this.providers.get(key) === name);
    if (id === undefined) return "finished";
    this.providers.delete(id);
    this.loop.put(TO.WITHDRAW, id, 0, 0, 0);
    return "ok";
  }

  wake(call) {
    this.#control("vector.wake", { play: this.number, name: call.name });
    return "ok";
  }

  #deed(verb, name, argument) {
    if (verb === "provide" || verb === "withdraw") return this[verb](name);
    const object = this.byName.get(textOf(name)) ?? this.byName.get(name) ?? this.calls.get(name);
    return this[verb](object, verb === "credit" ? Number(argument) : argument);
  }

  // ---- A case ----

  #step(words) {
    const at = words.indexOf("=");
    const [verb, name, ...rest] = words.slice(0, at);
    const got = [];
    for (const argument of verb === "send" ? rest : [rest[0]]) {
      const result = this.#deed(verb, name, argument);
      if (got.at(-1) !== result) got.push(result);
    }
    return [words.slice(at + 1), got];
  }

  /** turn [N] : TRACE ; EVENTS [live N], with N events at most */
  async #turn(words, patience) {
    const [colon, semicolon] = [words.indexOf(":"), words.indexOf(";")];
    const most = colon === 2 ? Number(words[1]) : Infinity;
    const trace = words.slice(colon + 1, semicolon);
    let events = words.slice(semicolon + 1);
    let live = 0;
    if (events.at(-2) === "live") {
      live = Number(events.at(-1));
      events = events.slice(0, -2);
    }
    const seen = [];
    const got = [];
    for (const end = Date.now() + patience; ;) {
      seen.push(...wordsOf(await this.#control("vector.trace", this.number)));
      const taken = this.events.splice(0, most - got.length);
      for (const { call } of taken) if (call) call.granted--;
      got.push(...taken);
      if (taken.length > 0) continue;
      if (got.length >= events.length && seen.length >= trace.length && this.#live() === live) break;
      if (Date.now() > end) break;
      await hop();
    }
    const want = events.map((word) => ({ word, owner: ownerOf(word) }));
    return [state(trace, want, live), state(seen, got, this.#live())];
  }

  /** Tasks that live, or have an end to be told, and calls that want an answer. */
  #live() {
    const untold = this.events.filter(({ word }) => word.includes("=")).length;
    return this.loop.live + untold + [...this.asks.values()].filter((ask) => ask.open).length;
  }

  /** Gives what went differently, or nothing. */
  async play({ lines }, patience) {
    this.#begin();
    let differs;
    for (const { at, words } of lines) {
      if (words[0] === "on") continue;
      if (["call", "stream", "collect", "duplex"].includes(words[0])) {
        this.calls.set(words[1], new Call(words, this.#next++));
        continue;
      }
      const [want, got] = words[0] === "turn" ? await this.#turn(words, patience) : this.#step(words);
      if (want.join(" ") === got.join(" ")) continue;
      differs = { at, want: want.join(" "), got: got.join(" ") };
      break;
    }
    for (const call of this.calls.values()) if (this.#all.has(call.id)) this.cancel(call);
    for (const name of this.providers.values()) this.withdraw(name);
    for (const end = Date.now() + 10000; this.loop.live > 0 && Date.now() < end; await hop()) {
      for (const ask of this.asks.values()) this.answer(ask, "!cancelled");
    }
    return differs ?? (this.loop.live > 0 ? { at: 0, want: "nothing", got: `live ${this.loop.live}` } : undefined);
  }
}

/** The bytes of a failure with the code 5, without a stack. */
function failed(why) {
  const bytes = new Uint8Array(12 + why.length);
  bytes[0] = 5;
  bytes[4] = why.length;
  new TextEncoder().encodeInto(why, bytes.subarray(8));
  return bytes;
}

/** The call that an event belongs to: events of several calls have no order. */
function ownerOf(event) {
  const [, name, sign, rest] = event.match(/^([^>:=~?!/]*)(.)(.*)$/);
  if (sign === "?") return rest.split(":")[1].split("@")[0];
  return sign === "!" ? rest : name;
}

function state(trace, events, live) {
  const order = (a, b) => (a.owner < b.owner ? -1 : Number(a.owner > b.owner));
  const words = events.toSorted(order).map(({ word }) => word);
  return [...trace, ";", ...words, ...(live > 0 ? ["live", live] : [])];
}
