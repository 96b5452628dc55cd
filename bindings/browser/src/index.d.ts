// SPDX-License-Identifier: Apache-2.0

/** What a call may be given beside its request. */
export interface CallOptions {
  /** Its abort ends the call. The promise is rejected at once with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds, after which the call fails with `Timeout`. Go's function sees the deadline. */
  timeout?: number;
}

export interface LoadOptions {
  /**
   * The script wasm_exec.js of the toolchain that built the module: its URL, or the class
   * `Go` that it leaves in `globalThis`. By default it is beside the module.
   */
  glue?: string | URL | (new () => unknown);
}

export type Source = string | URL | Response | BufferSource | WebAssembly.Module;

/**
 * Starts a module. `source` is a URL, in Node also a path, a Response, bytes, or what
 * `compile` gave. Each load has its own memory.
 */
export function load(source: Source | PromiseLike<Source>, options?: LoadOptions): Promise<Library>;

/** Compiles a module. Workers can be sent it, and each load it. */
export function compile(source: Source | PromiseLike<Source>): Promise<WebAssembly.Module>;

/** What a function that Go calls is told beside its request. */
export interface Context {
  /** Aborted when Go gives up. */
  readonly signal: AbortSignal;
  /** The milliseconds that Go waits at most. */
  readonly timeout: number | undefined;
  /** The items that Go sends, if it does. */
  readonly items: AsyncIterableIterator<any> | undefined;
}

/** A function that Go calls: its answer, a promise of it, or items for a Go loop. */
export type Provided = (request: any, context: Context) => unknown;

/** The functions of one module. */
export class Library {
  private constructor();

  /**
   * Calls a Go function. Bytes are a `Uint8Array`, text is a string, other types are what
   * JSON makes of them. A function in the request is lent to Go until the call's end.
   */
  call<Response = any>(name: string, request?: unknown, options?: CallOptions): Promise<Response>;

  /** Calls a function that takes items. */
  collect<Response = any>(
    name: string, request: unknown, items: Iterable<unknown> | AsyncIterable<unknown>, options?: CallOptions,
  ): Promise<Response>;

  /** The items of a function. Go sends up to 32 ahead of those that were asked for. */
  stream<Item = any>(
    name: string, request?: unknown,
    options?: CallOptions & { items?: Iterable<unknown> | AsyncIterable<unknown> },
  ): Stream<Item>;

  /**
   * Provides functions that Go calls by their names. Values cross as JSON; with `bytes`,
   * functions get a `Uint8Array` and give bytes or a string.
   */
  provide(name: string, functions: Record<string, Provided>, options?: { bytes?: boolean }): Provider;

  /**
   * Gives the records that Go functions log by `executor/hostlog` to a listener, from this
   * level of slog's on (0 is Info, 8 Error). Without a listener none come.
   */
  logTo(listener: ((record: LogRecord) => void) | undefined, level?: number): void;

  /** The names of the functions. */
  functions(): string[];

  /** A function's descriptor. */
  describe(name: string): Descriptor;

  /** How many calls and tasks live in Go, and how many bytes its memory has. */
  counts(): { live: number; memory: number };

  /** Ends all calls with `Closed`. The Go program is not entered any more. */
  close(): void;
}

/** A record of slog's. */
export interface LogRecord {
  /** Nanoseconds since 1970. */
  time: number;
  level: number;
  msg: string;
  source?: { function: string; file: string; line: number };
  /** What the author has added. */
  extra?: Record<string, unknown>;
}

export interface Provider extends Disposable {
  close(): void;
}

export interface Descriptor {
  name: string;
  module: string;
  kind: "offload" | "cpu" | "loop" | "async";
  codec: string;
  request: unknown;
  response: unknown;
  in?: unknown;
  out?: unknown;
  doc: string;
}

/** The items of a call. The first `next` makes the call. */
export class Stream<Item = any> implements AsyncIterableIterator<Item>, AsyncDisposable {
  private constructor();
  next(): Promise<IteratorResult<Item, any>>;
  /** Ends the call, also while a `next` waits. It does not wait for Go. */
  return(value?: any): Promise<IteratorResult<Item, any>>;
  throw(error: any): Promise<IteratorResult<Item, any>>;
  /** Ends the call, and waits for Go's end of it. */
  [Symbol.asyncDispose](): Promise<void>;
  [Symbol.asyncIterator](): this;
}

/** The class of all errors of this package. */
export class PillionError extends Error {
  /** Pillion's number, or, in a GoError, the one that the function's author chose. */
  readonly code: number;
  /** Pillion's number. */
  readonly status: number;
}

/** The library is closed, or its Go program has ended. */
export class Closed extends PillionError {}
/** The call was cancelled, but not by its signal. */
export class Cancelled extends PillionError {}
/** There is no such function. */
export class NotFound extends PillionError {}
/** The module is none of Pillion's, or does not fit this package. */
export class VersionMismatch extends PillionError {}
/** The time is up. */
export class Timeout extends PillionError {}
/** This function cannot be called in this way. */
export class NotSupported extends PillionError {}
/** The Go function returned an error. */
export class GoError extends PillionError {}
/** Go cannot read the request, or the function refuses it. */
export class RequestError extends GoError {}
/** The Go function panicked. The library goes on. */
export class GoPanic extends PillionError {
  /** Go's stack at the panic. */
  readonly goStack: string;
}
/** The Go function called runtime.Goexit. */
export class GoExit extends PillionError {}
