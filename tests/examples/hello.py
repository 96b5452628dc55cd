# SPDX-License-Identifier: Apache-2.0
import asyncio
import sys

import pillion


async def main(path: str) -> None:
    lib = pillion.load(path)
    print((await lib.call("hello.greet", "you")).decode())


asyncio.run(main(sys.argv[1]))
