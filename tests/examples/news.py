# SPDX-License-Identifier: Apache-2.0
"""news.py LIBRARY FEED LEVEL: has Go log into a logger of Python's."""

import asyncio
import logging
import sys

import pillion

logging.basicConfig(format="%(levelname)s %(name)s %(funcName)s: %(message)s, feed %(feed)s")
log = logging.getLogger("news")


async def main(library, feed, level):
    log.setLevel(level)  # Go sends nothing below it
    lib = pillion.load(library)
    with lib.log_to(log):  # it ends when all is logged that Go has logged
        await lib.call("news.update", feed)


asyncio.run(main(*sys.argv[1:]))
