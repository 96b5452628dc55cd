# SPDX-License-Identifier: Apache-2.0
"""template.py LIBRARY FOLDER NAME KEY=VALUE...: renders a template of a folder."""

import asyncio
import pathlib
import sys

import pillion


async def main(library, folder, name, *pairs):
    async def load(name):
        """Go awaits it; a database or the network would do as well."""
        path = pathlib.Path(folder, name.decode())
        try:
            return await asyncio.get_running_loop().run_in_executor(None, path.read_text)
        except asyncio.CancelledError:
            print("gives up", path.name, file=sys.stderr)
            raise

    lib = pillion.load(library)
    data = dict(pair.split("=", 1) for pair in pairs)
    with lib.provide("app.Templates", {"load": load}):
        print(await lib.call_json("template.render", {"Name": name, "Data": data}), end="")


try:
    asyncio.run(main(*sys.argv[1:]))
except KeyboardInterrupt:  # Go does not wait for the template any more
    sys.exit(130)
except pillion.GoError as error:
    sys.exit(f"template.py: {error}")
