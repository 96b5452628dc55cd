// SPDX-License-Identifier: Apache-2.0
// node replay_calls.mjs MODULE KIND FILE...: replays the vectors of calls on a module, as
// README.md describes them. It prints each case that went differently, and the totals; the
// exit code is 1 if one did.

import { readFileSync } from "node:fs";

import { load } from "../../bindings/browser/src/index.js";
import { Host, replay } from "../../bindings/browser/tests/vectors.js";

const [module, kind, ...files] = process.argv.slice(2);
const library = await load(module);
const host = new Host(library, kind);
const patience = Number(process.env.PATIENCE ?? 10000);
const totals = { passed: 0, failed: 0, skipped: 0 };
for (const file of files) {
  const count = await replay(host, readFileSync(file, "utf8"), patience, ({ at, name, want, got }) => {
    console.log(`${file}:${at}: ${name} (${kind})\n  want ${want}\n  got  ${got}`);
  });
  for (const what in totals) totals[what] += count[what];
}
library.close();
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 ? 1 : 0);
