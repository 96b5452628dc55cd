# SPDX-License-Identifier: Apache-2.0
"""upload.py LIBRARY URL [FILE]: uploads a file, or what comes in, under a progress bar."""

import asyncio
import sys

import pillion

CHUNK = 1 << 16


async def chunks(path):
    """Any async generator will do. It is closed when Go reads no more."""
    if path:
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    else:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while chunk := await reader.read(CHUNK):
            yield chunk


def bar(count):
    print(f"\r{'#' * min(60, count // CHUNK)} {count:,} bytes", end="", file=sys.stderr, flush=True)


async def main(library, url, path=None):
    lib = pillion.load(library)
    request = {"URL": url, "Progress": bar}
    done = await lib.collect_json("upload.put", request, chunks(path))
    print(f"\n{done['Bytes']} bytes, SHA-256 {done['SHA256']}")


try:
    asyncio.run(main(*sys.argv[1:]))
except KeyboardInterrupt:  # the request is broken off: the server sees no whole body
    sys.exit(130)
except pillion.GoError as error:
    sys.exit(f"upload.py: {error}")
