// SPDX-License-Identifier: Apache-2.0

import { createRequire } from "node:module";

/** What tests/setup.sh has installed from npm. */
export const installed = createRequire(new URL("../../../build/node/package.json", import.meta.url));

/** Debian's Chromium, whose pages are on no screen. */
export function launch() {
  const { chromium } = installed("playwright-core");
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
}
