// SPDX-License-Identifier: Apache-2.0

import call from "./call.js";
import cancel from "./cancel.js";
import flow from "./flow.js";
import inbound from "./inbound.js";
import life from "./life.js";

/** Each case takes a library of tests/module, and `load`, which makes another. */
export const cases = Object.entries({ call, cancel, flow, inbound, life })
  .flatMap(([file, list]) => Object.entries(list).map(([name, run]) => ({ name: `${file}: ${name}`, run })));
