// SPDX-License-Identifier: Apache-2.0
// The errors, one class for each status of include/pillion/error.h that a module can give.

const utf8 = new TextDecoder();

/** Pillion refused something, or it went wrong in Go. */
export class PillionError extends Error {
  /** The library's number; in a GoError `code` is the one that the function's author chose. */
  static status = 0;

  constructor(message, code) {
    super(message);
    this.name = this.constructor.name;
    this.code = code ?? this.status;
  }

  get status() {
    return this.constructor.status;
  }
}

/** The library is closed, or its Go program has ended. */
export class Closed extends PillionError {
  static status = -10;
}

/** The call was cancelled, but not by its signal. */
export class Cancelled extends PillionError {
  static status = -11;
}

/** There is no such function. */
export class NotFound extends PillionError {
  static status = -14;
}

/** The module is none of Pillion's, or does not fit this package. */
export class VersionMismatch extends PillionError {
  static status = -15;
}

/** The time is up. */
export class Timeout extends PillionError {
  static status = -16;
}

/** This function cannot be called in this way. */
export class NotSupported extends PillionError {
  static status = -20;
}

/** The Go function returned an error. */
export class GoError extends PillionError {
  static status = -13;
}

/** Go cannot read the request, or the function refuses it. */
export class RequestError extends GoError {
  static status = -22;
}

/** The Go function panicked. The library goes on. */
export class GoPanic extends PillionError {
  static status = -12;

  constructor(message, code, goStack) {
    super(message);
    this.goStack = goStack;
  }
}

/** The Go function called runtime.Goexit. */
export class GoExit extends PillionError {
  static status = -19;
}

const classes = new Map();
for (const type of [Closed, Cancelled, NotFound, VersionMismatch, Timeout, NotSupported,
  GoError, RequestError, GoPanic, GoExit]) {
  classes.set(type.status, type);
}

/** The error of a call with this status, whose payload is a failure of Go's. */
export function errorOf(status, payload) {
  if (status === Cancelled.status) return new Cancelled("the call was cancelled");
  if (status === Timeout.status) return new Timeout("the time is up");
  const { code, message, stack } = parseFailure(payload);
  return new (classes.get(status) ?? GoError)(message, code, stack);
}

function parseFailure(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 4;
  const text = () => {
    const length = view.getUint32(at, true);
    at += 4 + length;
    return utf8.decode(bytes.subarray(at - length, at));
  };
  return { code: view.getInt32(0, true), message: text(), stack: text() };
}

/** The bytes of a failure in JavaScript. */
export function failure(error) {
  const isError = error instanceof Error;
  const message = isError ? `${error.name}: ${error.message}` : String(error);
  const code = isError && Number.isInteger(error.code) ? error.code : 0;
  const texts = [message, (isError && error.stack) || ""].map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(12 + texts[0].length + texts[1].length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, code, true);
  let at = 4;
  for (const text of texts) {
    view.setUint32(at, text.length, true);
    bytes.set(text, at + 4);
    at += 4 + text.length;
  }
  return bytes;
}
