# SPDX-License-Identifier: Apache-2.0
"""table.py LIBRARY FILE WHERE [ROW]: inserts a row into a table, and prints those that match."""

import asyncio
import json
import sys

import pillion


async def main(library, path, where, row=None):
    Table = pillion.load(library).object("table.Table")
    async with await Table.open(path) as table:  # Go closes the file at the end of the block
        if row is not None:
            await table.insert(json.loads(row))
        async with table.select(json.loads(where)) as rows:
            async for found in rows:
                print(json.dumps(found, separators=(",", ":")), flush=True)


try:
    asyncio.run(main(*sys.argv[1:]))
except KeyboardInterrupt:  # asyncio has cancelled main, so Go has closed the file
    sys.exit(130)
except pillion.GoError as error:
    sys.exit(f"table.py: {error}")
