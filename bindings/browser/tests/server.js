// SPDX-License-Identifier: Apache-2.0
// A server of this repository's files, on a free port.

import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const root = new URL("../../../", import.meta.url);
const types = { html: "text/html", js: "text/javascript", css: "text/css", wasm: "application/wasm", svg: "image/svg+xml" };

/** As strict as Go's modules bear. */
const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src *; style-src 'self'; img-src 'self' data:; worker-src 'self' blob:";

function answer(request, response) {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/slow") return; // never
  if (pathname === "/echo") {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write(`${request.method} `);
    request.on("data", (data) => response.write(data)).on("end", () => response.end(request.method === "GET" ? "ok" : ""));
    return;
  }
  const file = new URL(`.${pathname}`, root);
  try {
    if (!file.href.startsWith(root.href) || !statSync(file).isFile()) throw new Error("none");
  } catch {
    response.writeHead(404, { "content-type": "text/plain" }).end("not found");
    return;
  }
  response.writeHead(200, {
    "content-type": types[pathname.split(".").pop()] ?? "application/octet-stream",
    "content-security-policy": policy,
  });
  createReadStream(fileURLToPath(file)).pipe(response);
}

/** Serves; `close` ends it, with all connections. */
export async function serve() {
  const server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}
