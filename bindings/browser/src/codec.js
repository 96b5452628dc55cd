// SPDX-License-Identifier: Apache-2.0
// Values in JavaScript and the bytes that cross, by the types of a function's descriptor.

const utf8 = new TextDecoder("utf-8", { fatal: true });

function asBytes(value, what) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (typeof value === "string") return value;
  if (value == null) return undefined;
  throw new TypeError(`${what} takes bytes or a string, not ${typeof value}`);
}

/** Gives a string, a Uint8Array or undefined, which `Loop.put` takes. */
export function encoder(type, what) {
  if (type === "bytes") return (value) => asBytes(value, what);
  if (type === "string") {
    return (value) => {
      if (typeof value !== "string") throw new TypeError(`${what} takes a string, not ${typeof value}`);
      return value;
    };
  }
  if (type === "none") {
    return (value) => {
      if (value == null || (typeof value === "object" && Object.keys(value).length === 0)) return undefined;
      throw new TypeError(`${what} takes nothing`);
    };
  }
  return (value) => {
    const text = JSON.stringify(value ?? null);
    if (text === undefined) throw new TypeError(`${what} takes a value that JSON has a form for`);
    return text;
  };
}

/** Reads a view of Go's memory, of which it keeps nothing. */
export function decoder(type) {
  if (type === "bytes") return (bytes) => bytes.slice();
  if (type === "string") return (bytes) => utf8.decode(bytes);
  if (type === "none") return () => undefined;
  return (bytes) => JSON.parse(utf8.decode(bytes));
}

/** Whether functions can be lent in a value of a type. */
export function lends(type) {
  if (type === null || typeof type !== "object") return false;
  const [name, inner] = Object.entries(type)[0];
  if (name === "callback" || name === "signal") return true;
  return name === "struct" ? inner.some((field) => lends(field.type)) : lends(inner);
}

/** Gives the value with an index in place of each function, which goes to `functions`. */
export function lend(type, value, functions, what) {
  if (value == null || typeof type !== "object") return value;
  const [name, inner] = Object.entries(type)[0];
  switch (name) {
    case "callback":
    case "signal": {
      if (typeof value !== "function") throw new TypeError(`${what} takes a function there, not ${typeof value}`);
      const types = name === "callback" ? inner : { request: inner, response: "none" };
      return functions.push({
        call: value,
        decode: decoder(types.request),
        encode: encoder(types.response, `the answer to ${what}`),
      }) - 1;
    }
    case "optional":
      return lend(inner, value, functions, what);
    case "list":
      return Array.isArray(value) ? value.map((item) => lend(inner, item, functions, what)) : value;
    case "map":
    case "struct": {
      if (typeof value !== "object") return value;
      const of = name === "map" ? () => inner : (key) => inner.find((field) => field.name === key)?.type;
      return Object.fromEntries(Object.entries(value)
        .map(([key, item]) => [key, lend(of(key) ?? "any", item, functions, what)]));
    }
  }
  return value;
}

/** What a call of a function needs to know of it, from its descriptor. */
export class Form {
  constructor(descriptor, index) {
    const { module, name, codec, request, response } = descriptor;
    this.name = `${module}.${name}`;
    this.index = index;
    this.descriptor = descriptor;
    const own = codec !== "json" && codec !== "raw"; // a codec of the author's, whose bytes cross
    const type = (of) => (own ? "bytes" : of);
    this.lends = !own && lends(request);
    this.gives = "out" in descriptor;
    this.takes = "in" in descriptor;
    this.encode = encoder(type(request), this.name);
    this.decode = decoder(type(response));
    if (this.gives) this.decodeItem = decoder(type(descriptor.out));
    if (this.takes) this.encodeItem = encoder(type(descriptor.in), `an item for ${this.name}`);
  }

  /** The payload of a request, and the functions that it lends. */
  request(value) {
    const functions = [];
    if (this.lends) value = lend(this.descriptor.request, value, functions, this.name);
    return { payload: this.encode(value), functions };
  }
}
