# SPDX-License-Identifier: Apache-2.0
"""Puts the shared library into the wheel, and names the platforms that it runs on.

It is taken from $PILLION_BUILD_LIBRARY, else from the source tree's build/lib.
The wheel's tag says manylinux_2_XX: XX is the newest glibc whose symbols the
library asks for, read from its own version table.
"""

import os
import re
import struct

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SONAME = "libpillion.so.0"
MACHINES = {62: "x86_64", 183: "aarch64"}
VERNEED = 0x6FFFFFFE  # the section that lists the versions asked for
# Newer than these numbered versions, or features that came with one.
FEATURES = {"GLIBC_ABI_DT_RELR": (2, 36)}
OLDEST = (2, 17)


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        if version == "editable":
            return  # PILLION_LIBRARY, or the system's loader, finds it
        library = os.environ.get("PILLION_BUILD_LIBRARY") or os.path.join(
            self.root, "../../build/lib", SONAME
        )
        if not os.path.exists(library):
            raise FileNotFoundError(
                f"{library}: no such library. Build it (make lib), or name one in "
                "PILLION_BUILD_LIBRARY"
            )
        machine, (major, minor) = needs(library)
        tag = f"py3-none-manylinux_{major}_{minor}_{machine}"
        self.app.display_info(f"{library}: {machine}, glibc {major}.{minor} or newer: {tag}")
        build_data["tag"] = tag
        build_data["pure_python"] = False
        build_data["force_include"][os.path.realpath(library)] = f"pillion/lib/{SONAME}"


def needs(path):
    """The machine and the glibc that an ELF file asks for."""
    with open(path, "rb") as file:
        elf = file.read()
    if elf[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path}: no 64-bit little-endian ELF file")
    (machine,) = struct.unpack_from("<H", elf, 18)
    if machine not in MACHINES:
        raise ValueError(f"{path}: unknown machine {machine}")
    floor = OLDEST
    for name in versions(elf):
        numbered = re.fullmatch(r"GLIBC_(\d+)\.(\d+)(\.\d+)?", name)
        if numbered:
            floor = max(floor, (int(numbered[1]), int(numbered[2])))
        elif name in FEATURES:
            floor = max(floor, FEATURES[name])
        elif name.startswith("GLIBC_"):
            raise ValueError(f"{path}: asks for {name}, whose glibc is unknown")
    return MACHINES[machine], floor


def versions(elf):
    """The names in .gnu.version_r."""
    (table,) = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, table + i * size) for i in range(count)]
    for section in sections:
        _, kind, _, _, offset, _, link, libraries, _, _ = section
        if kind != VERNEED:
            continue
        strings = sections[link][4]
        for _ in range(libraries):
            _, entries, _, first, following = struct.unpack_from("<HHIII", elf, offset)
            entry = offset + first
            for _ in range(entries):
                _, _, _, name, further = struct.unpack_from("<IHHII", elf, entry)
                start = strings + name
                yield elf[start : elf.index(b"\0", start)].decode()
                entry += further
            offset += following
