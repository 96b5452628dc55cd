// SPDX-License-Identifier: Apache-2.0

export { compile, load } from "./load.js";
export { Library } from "./library.js";
export { Stream } from "./stream.js";
export {
  Cancelled, Closed, GoError, GoExit, GoPanic, NotFound, NotSupported, PillionError, RequestError, Timeout,
  VersionMismatch,
} from "./errors.js";
