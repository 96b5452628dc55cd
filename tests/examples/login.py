# SPDX-License-Identifier: Apache-2.0
"""login.py LIBRARY USER [SECONDS]: Go asks for a password, and waits so long for it."""

import asyncio
import sys

import pillion


async def main(library, user, seconds="60"):
    lib = pillion.load(library)
    typed = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(typed), sys.stdin
    )

    async def ask(prompt):
        """Reads on the loop, so that a cancel reaches it. A GUI would open a dialog here."""
        print(prompt, end="", flush=True)
        try:
            line = await typed.readline()
        except asyncio.CancelledError:
            print("(too late)")  # Go does not wait any more
            raise
        if not line:
            raise EOFError("no password")
        return line.decode().rstrip("\n")

    print(await lib.call_json("login.open", {"User": user, "Ask": ask}, timeout=float(seconds)))


try:
    asyncio.run(main(*sys.argv[1:]))
except KeyboardInterrupt:
    sys.exit(130)
except (pillion.GoError, pillion.Timeout) as error:
    sys.exit(f"login.py: {error}")
