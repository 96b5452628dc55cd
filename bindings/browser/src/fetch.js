// SPDX-License-Identifier: Apache-2.0
// The requests and responses of Go's js.Fetch.

const utf8 = new TextDecoder();
const encoder = new TextEncoder();

/** Reads a request: method, URL, header, body. */
export function request(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const number = () => view.getUint32((at += 4) - 4, true);
  const text = () => {
    const length = number();
    return utf8.decode(bytes.subarray(at, (at += length)));
  };
  const method = text() || "GET";
  const url = text();
  const headers = [];
  for (let n = number(); n > 0; n--) headers.push([text(), text()]);
  const body = bytes[at] === 1 ? bytes.slice(at + 1) : undefined;
  return { method, url, headers, body };
}

/** Writes a response: status, header, body. */
export async function response(answer) {
  const body = new Uint8Array(await answer.arrayBuffer());
  const headers = [...answer.headers].flat().map((text) => encoder.encode(text));
  const length = headers.reduce((sum, text) => sum + 4 + text.length, 8);
  const bytes = new Uint8Array(length + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, answer.status, true);
  view.setUint32(4, headers.length / 2, true);
  let at = 8;
  for (const text of headers) {
    view.setUint32(at, text.length, true);
    bytes.set(text, at + 4);
    at += 4 + text.length;
  }
  bytes.set(body, at);
  return bytes;
}
