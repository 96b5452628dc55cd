// SPDX-License-Identifier: Apache-2.0
// A program for Vite.

import { load } from "pillion";
import "../../../../build/lib/wasm_exec.js";
import url from "../../../../build/lib/pillion-test.wasm?url";

const lib = await load(url, { glue: globalThis.Go });
window.answer = await lib.call("test.upper", "bundled");
