# SPDX-License-Identifier: Apache-2.0
"""capi/loops/declared says of the loops' headers what they say themselves: the same
constants and layouts, and functions that take the same."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DECLARED = ROOT / "capi/loops/declared"

# For each header, what has to be equal, and structs that may have more room.
LOOPS = {
    "uv.h": (
        "UV_READABLE UV_WRITABLE UV_DISCONNECT UV_PRIORITIZED UV_EPERM UV_EEXIST UV_POLL UV_TIMER "
        "sizeof(uv_os_fd_t) offsetof(uv_handle_t,data) offsetof(uv_poll_t,data) "
        "offsetof(uv_timer_t,data) offsetof(uv_poll_t,loop) offsetof(uv_timer_t,loop)",
        "uv_poll_t uv_timer_t",
    ),
    "glib.h": (
        "TRUE G_IO_IN G_SOURCE_CONTINUE G_MAXINT sizeof(gint) sizeof(gboolean) sizeof(gint64) "
        "sizeof(GIOCondition) sizeof(GSource) sizeof(GSourceFuncs) offsetof(GSourceFuncs,prepare) "
        "offsetof(GSourceFuncs,check) offsetof(GSourceFuncs,dispatch)",
        "GSource",
    ),
    "event2/event.h": (
        "EV_TIMEOUT EV_READ EV_WRITE EV_PERSIST EV_CLOSED EV_FEATURE_EARLY_CLOSE EVLIST_TIMEOUT "
        "EVLIST_INSERTED EVLIST_ACTIVE EVLIST_ACTIVE_LATER sizeof(evutil_socket_t) "
        "offsetof(struct/**/event,ev_evcallback.evcb_flags)",
        "struct/**/event",
    ),
    "ev.h": (
        "EV_READ EV_WRITE EV_ERROR sizeof(ev_tstamp) sizeof(ev_io) sizeof(ev_timer) sizeof(ev_prepare) "
        "sizeof(ev_cleanup) offsetof(ev_io,active) offsetof(ev_io,pending) offsetof(ev_io,priority) "
        "offsetof(ev_io,data) offsetof(ev_io,cb) offsetof(ev_io,fd) offsetof(ev_io,events) "
        "offsetof(ev_timer,at) offsetof(ev_timer,repeat) "
        "({ev_io/**/w;ev_init(&w,NULL);ev_io_set(&w,5,EV_READ);w.fd*1000+w.events;})",
        "ev_io",
    ),
    "systemd/sd-event.h": ("SD_EVENT_OFF SD_EVENT_ON SD_EVENT_ONESHOT", ""),
}
MORE = {"event2/event.h": "#include <event2/event_struct.h>\n"}


def source(header: str, body: str) -> str:
    return (
        "#include <stddef.h>\n#include <stdio.h>\n"
        "#define PILLION__LOOP_FUNCTION(type, name, parameters) extern type(*name) parameters;\n"
        f"#include <{header}>\n{MORE.get(header, '')}{body}"
    )


def flags(header: str) -> list[str]:
    if header != "glib.h":
        return []
    said = subprocess.run(["pkg-config", "--cflags", "glib-2.0"], check=True, capture_output=True, text=True)
    return said.stdout.split()


def values(tmp_path: pathlib.Path, header: str, expressions: str, *include: str) -> list[int]:
    prints = "".join(f'  printf("%lld\\n", (long long)({e}));\n' for e in expressions.split())
    program = tmp_path / "program"
    subprocess.run(
        ["cc", "-std=gnu11", "-D_GNU_SOURCE", *include, "-x", "c", "-", "-o", program],
        input=source(header, f"int main(void) {{\n{prints}}}\n"), text=True, check=True,
    )  # fmt: skip
    return [int(line) for line in subprocess.run([program], check=True, capture_output=True).stdout.split()]


@pytest.mark.parametrize("header", LOOPS)
def test_values_are_the_headers_own(header: str, tmp_path: pathlib.Path) -> None:
    equal, larger = LOOPS[header]
    sizes = " ".join(f"sizeof({name})" for name in larger.split())
    ours = values(tmp_path, header, f"{equal} {sizes}", f"-I{DECLARED}")
    its = values(tmp_path, header, f"{equal} {sizes}", *flags(header))
    same = len(equal.split())
    assert dict(zip(equal.split(), ours)) == dict(zip(equal.split(), its))
    assert all(a >= b for a, b in zip(ours[same:], its[same:]))


@pytest.mark.parametrize("header", LOOPS)
def test_functions_take_what_the_headers_say(header: str) -> None:
    text = (DECLARED / header).read_text().replace("\\\n", "")
    functions = re.findall(r"^  ?_\((.+?), (\w+), *(\(.*?\))\)(?=  _| *$)", re.sub(r" {2,}_\(", "\n  _(", text), re.M)
    assert len(functions) == text.count(" _(") >= 7
    body = "".join(f"{kind} (*const its_{name}) {takes} = {name};\n" for kind, name, takes in functions)
    said = subprocess.run(
        ["cc", "-std=gnu11", "-D_GNU_SOURCE", "-Werror", "-fsyntax-only", *flags(header), "-x", "c", "-"],
        input=source(header, body), capture_output=True, text=True,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
