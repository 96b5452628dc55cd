// SPDX-License-Identifier: Apache-2.0

import { GoError, GoExit, GoPanic, NotFound, NotSupported, RequestError } from "../../src/index.js";
import { equal, fails } from "./check.js";

const bytes = (...list) => new Uint8Array(list);

export default {
  async "text and bytes cross as they are"(lib) {
    equal(await lib.call("test.upper", "äbc"), "ÄBC");
    equal(await lib.call("test.echo", bytes(0, 255)), bytes(0, 255));
    equal(await lib.call("test.echo", bytes(1, 2, 3).buffer), bytes(1, 2, 3));
    equal(await lib.call("test.echo", new DataView(bytes(1, 2, 3).buffer, 1)), bytes(2, 3));
    equal(await lib.call("test.echo", "é"), bytes(0xc3, 0xa9));
    equal(await lib.call("test.echo"), bytes());
    equal(await lib.call("test.same_none"), undefined);
    equal(await lib.call("test.same_string", "\u0000𝄞"), "\u0000𝄞");
  },

  async "other values cross as JSON"(lib) {
    equal(await lib.call("test.add", { a: 40, b: 2 }), { sum: 42 });
    equal(await lib.call("test.same_bool", true), true);
    equal(await lib.call("test.same_int", -5), -5);
    equal(await lib.call("test.same_float", 1.5), 1.5);
    equal(await lib.call("test.same_list", [1, 2]), [1, 2]);
    equal(await lib.call("test.same_list", null), null);
    equal(await lib.call("test.same_map", { ä: "b" }), { ä: "b" });
    equal(await lib.call("test.same_any", { a: [null, "x"] }), { a: [null, "x"] });
    equal(await lib.call("test.same_maybe_string"), null);
    equal(await lib.call("test.json_bytes", { a: 1, b: 2 }), bytes(1, 2));
    equal(await lib.call("test.json_none", { a: 1, b: 2 }), undefined);
    equal(await lib.call("test.json_seven"), { sum: 7 });
    equal(await lib.call("test.json_time", "2020-01-02T03:04:05Z"), "2020-01-02T03:04:06Z");
    equal(await lib.call("test.json_shout", "hey"), new TextEncoder().encode("HEY!"), "a codec of the author's");
  },

  async "functions of each kind answer"(lib) {
    equal(await lib.call("test.loop_echo", "x"), bytes(120));
    equal(await lib.call("test.loop_yield", "10"), "10");
    equal(await lib.call("test.async_echo", "x"), bytes(120));
    equal(await lib.call("test.json_loop", { a: 1, b: 2 }), { sum: 3 });
    equal(await lib.call("test.json_async", { a: 1, b: 2 }), { sum: 3 });
    equal(await lib.call("test.loop_spawn"), new TextEncoder().encode("spawned"));
    equal(await lib.call("test.spin", "1"), "");
    equal(await lib.call("test.sleep", "1000000"), "slept");
    equal(await lib.call("test.loop_sleep", "1000000"), "slept");
  },

  async "a wrong request is refused before it is sent"(lib) {
    await fails(lib.call("test.upper", 5), TypeError);
    await fails(lib.call("test.echo", 5), TypeError);
    await fails(lib.call("test.same_none", 5), TypeError);
    await fails(lib.call("test.same_int", 5n), TypeError);
    await fails(lib.call("test.same_any", () => {}), TypeError);
    await fails(lib.call("test.no", "x"), NotFound, { code: -14, name: "NotFound" });
    await fails(lib.call("flow.count", 1), NotSupported);
    await fails(lib.call("flow.join", 1), NotSupported);
    await fails(lib.call("test.echo", "", { timeout: -1 }), TypeError);
    await fails(lib.call("test.echo", "", { timeout: "1" }), TypeError);
    equal(lib.counts().live, 0, "live");
  },

  async "errors have their classes, codes and messages"(lib) {
    for (const on of ["", "loop_"]) {
      await fails(lib.call(`test.${on}fail`, "why"), GoError, { code: 42, message: "why", status: -13 });
      const panic = await fails(lib.call(`test.${on}panic`, "oh"), GoPanic, { message: "panic: oh", code: -12 });
      equal(panic.goStack.includes("goroutine"), true, "a stack");
      await fails(lib.call(`test.${on}goexit`), GoExit);
      await fails(lib.call(`test.${on}fault`), GoPanic);
    }
    await fails(lib.call("test.same_int", "five"), RequestError, { code: 0 });
    await fails(lib.call("test.json_picky", { a: 1, b: 2 }), RequestError, { code: 7 });
    equal(await lib.call("test.upper", "still"), "STILL");
  },

  async "payloads of each size arrive whole"(lib) {
    for (const size of [0, 1, 7, 8, 9, 1000, 1024, 1025, 4095, 4096, 4097, 16352, 16384, 100000, 5000000]) {
      const payload = new Uint8Array(size).map((_, i) => i * 7);
      const got = await lib.call("test.echo", payload);
      equal([got.length, got.every((b, i) => b === payload[i])], [size, true], `${size} bytes`);
      equal(got.buffer.byteLength, size, "a buffer of its own");
    }
    const long = "äöü€".repeat(50000);
    equal((await lib.call("test.same_string", long)) === long, true, "a long text");
  },

  async "a payload is copied when the call is made"(lib) {
    const payload = new Uint8Array(8).fill(1);
    const call = lib.call("test.echo", payload);
    payload.fill(2);
    equal(await call, new Uint8Array(8).fill(1));
  },

  async "ten thousand calls at once answer, each its own"(lib) {
    const kinds = ["test.echo", "test.loop_echo", "test.async_echo"];
    const got = await Promise.all(Array.from({ length: 10000 }, (_, i) => lib.call(kinds[i % 3], String(i))));
    equal(got.every((bytes, i) => new TextDecoder().decode(bytes) === String(i)), true);
  },

  async "many payloads of one turn grow Go's memory"(lib) {
    const block = new Uint8Array(100000);
    const got = await Promise.all(Array.from({ length: 200 }, (_, i) => {
      block[0] = i;
      return lib.call("test.loop_echo", block);
    }));
    equal(got.every((bytes, i) => bytes[0] === i && bytes.length === 100000), true);
  },

  async "a function tells what it is"(lib) {
    equal(lib.describe("test.add").request, { struct: [{ name: "a", type: "int" }, { name: "b", type: "int" }] });
    equal(lib.functions().includes("hello.greet"), false);
    equal(lib.functions().includes("test.echo"), true);
  },
};
