// SPDX-License-Identifier: Apache-2.0
// A program for esbuild, with --loader:.wasm=file.

import { load } from "pillion";
import "../../../../build/lib/wasm_exec.js";
import url from "../../../../build/lib/pillion-test.wasm";

const lib = await load(new URL(url, location.href), { glue: globalThis.Go });
window.answer = await lib.call("test.upper", "bundled");
