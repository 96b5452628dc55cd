# SPDX-License-Identifier: Apache-2.0
"""tail.py LIBRARY FILE [WORD]: prints a log as it is written, until a line has the word."""

import asyncio
import sys

import pillion


async def main(library, path, word=None):
    lib = pillion.load(library)
    async with lib.stream_json("tail.follow", path) as lines:
        async for line in lines:
            print(line, flush=True)
            if word and word in line:
                break  # Go closes the file, and then the block ends


try:
    asyncio.run(main(*sys.argv[1:]))
except KeyboardInterrupt:  # asyncio has cancelled main, which has ended the stream
    sys.exit(130)
except pillion.GoError as error:
    sys.exit(f"tail.py: {error}")
