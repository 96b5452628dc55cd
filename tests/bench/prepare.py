# SPDX-License-Identifier: Apache-2.0
"""Builds both sides below build/bench and says how to run each command."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "build" / "bench"
LIB = ROOT / "build" / "lib"
TEST_LIBRARY = LIB / "libpillion-test.so"
BRIDGE = OUT / "lib" / "libbridge.so"
PYTHON = OUT / "venv" / "bin" / "python"
GRPC = OUT / "bin" / "grpc"
# Where both.py finds each side.
SIDES = {"ours": TEST_LIBRARY, "grpc": GRPC, "uniffi": OUT / "uniffi" / "release"}
NEEDS_TEST_LIBRARY = {"uv_await", "glib_await", "stall", "pool_go"}

NEIGHBOURS = ROOT / "tests" / "stress" / "good_neighbours" / "run.sh"

BARE = HERE / "bare" / "run.sh"

versions = {}
missing = set()  # kinds of commands whose compiler cannot be had


def run(*argv, cwd=ROOT, limit=None, **env):
    try:
        done = subprocess.run([str(a) for a in argv], cwd=cwd, text=True, capture_output=True,
                              env={**os.environ, **env}, timeout=limit)
    except subprocess.TimeoutExpired as hung:
        raise RuntimeError(str(hung)) from hung
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}\n{done.stdout}{done.stderr}")
    return done.stdout


def tokio():
    crate = HERE / "tokio"
    run("cargo", "build", "--release", "--locked", cwd=crate, CARGO_TARGET_DIR=OUT / "tokio")
    lock = (crate / "Cargo.lock").read_text()
    versions["tokio"] = re.search(r'name = "tokio"\nversion = "(.*?)"', lock)[1]


def smol():
    crate = HERE / "smol"
    run("cargo", "build", "--release", "--locked", cwd=crate, CARGO_TARGET_DIR=OUT / "smol")
    lock = (crate / "Cargo.lock").read_text()
    versions["smol"] = re.search(r'name = "async-executor"\nversion = "(.*?)"', lock)[1]


def uniffi():
    """The crate, and the Python module for it."""
    crate = HERE / "uniffi"
    run("cargo", "build", "--release", "--locked", cwd=crate, CARGO_TARGET_DIR=OUT / "uniffi")
    library = OUT / "uniffi" / "release" / "libbench_uniffi.so"
    run(PYTHON.parent / "uniffi-bindgen", "generate", "--library", library, "--language", "python",
        "--no-format", "--out-dir", library.parent, cwd=crate)
    lock = (crate / "Cargo.lock").read_text()
    versions["uniffi"] = re.search(r'name = "uniffi"\nversion = "(.*?)"', lock)[1]


def libuv():
    """The current libuv, from the sources that a crate brings; else the system's."""
    try:
        run("cargo", "fetch", "--locked", cwd=HERE / "tokio")
        metadata = json.loads(run("cargo", "metadata", "--locked", "--format-version=1",
                                  cwd=HERE / "tokio"))
        crate = next(p for p in metadata["packages"] if p["name"] == "libuv-sys2")
        source = Path(crate["manifest_path"]).parent / "libuv"
        run("cmake", "-S", source, "-B", OUT / "uv", "-DCMAKE_BUILD_TYPE=Release",
            "-DLIBUV_BUILD_SHARED=OFF", "-DLIBUV_BUILD_TESTS=OFF")
        run("cmake", "--build", OUT / "uv")
        flags = ["-isystem", source / "include", OUT / "uv" / "libuv.a",
                 "-lpthread", "-ldl", "-lrt"]
    except (OSError, RuntimeError) as reason:
        print(f"bench: no current libuv, taking the system's: {reason}", file=sys.stderr)
        flags = run("pkg-config", "--cflags", "--libs", "libuv").split()
    return flags


def c_programs(uv):
    (OUT / "bin").mkdir(parents=True, exist_ok=True)
    glib = run("pkg-config", "--cflags", "--libs", "gio-2.0").split()
    for source in [*HERE.glob("*.c"), *(HERE / "peers").glob("*.c")]:
        if source.stem in ("loops", "loop_bridge"):
            continue
        if source.parent.name == "peers":
            linked, include = BRIDGE, BRIDGE.parent
        else:
            name = TEST_LIBRARY.name if source.stem in NEEDS_TEST_LIBRARY else "libpillion.so"
            linked, include = LIB / name, ROOT / "include"
        run("cc", "-O2", "-Wall", "-I", HERE, "-I", include, source,
            "-o", OUT / "bin" / source.stem, linked, f"-Wl,-rpath,{linked.parent}",
            *(glib if source.stem.startswith("glib") else uv))
    versions["glib"] = run("pkg-config", "--modversion", "glib-2.0").strip()
    versions["libuv"] = run(OUT / "bin" / "wake", "version").strip()


LOOPS = {"epoll": [], "event": ["-levent_core", "-levent_pthreads"], "ev": ["-lev"],
         "sdevent": ["-lsystemd"], "asio": [], "qt": ["Qt6Core"]}


# What the driver of epoll(7) has in its rounds, without an adapter on its loop.
ABSENT = [f"-Wl,--defsym=pillion_{name}=0" for name in
          ("executor_bind", "executor_fd", "executor_ready", "executor_turn", "host_set")]


def loop_programs():
    """Those of loops.c and of its peer by hand, with the driver of each loop. The peer has its
    own Go: it is linked without Pillion, and leaves out what the driver has for that."""
    for loop, libs in LOOPS.items():
        source = next((HERE / "loops").glob(loop + ".c*"))
        if libs == ["Qt6Core"]:
            libs = ["-fPIC", *run("pkg-config", "--cflags", "--libs", *libs).split()]
        cc = ["c++", "-std=c++17"] if source.suffix == ".cpp" else ["cc", "-std=gnu11"]
        flags = ["-O2", "-D_GNU_SOURCE", "-ffunction-sections", "-fdata-sections", "-I", HERE, "-I", ROOT / "include", "-I", BRIDGE.parent,
                 "-I", ROOT / "tests" / "conformance" / "loops"]
        for main, linked in ((HERE / "loops.c", [TEST_LIBRARY]),
                             (HERE / "peers" / "loop_bridge.c",
                              [BRIDGE, "-Wl,--gc-sections", *ABSENT])):
            part = OUT / f"{main.stem}.o"
            run("cc", "-std=gnu11", "-Wall", *flags, "-c", main, "-o", part)
            run(*cc, *flags, source, part, "-o", OUT / "bin" / f"{main.stem}_{loop}", *linked,
                f"-Wl,-rpath,{linked[0].parent}", *libs, "-lpthread")


def go_programs():
    run("go", "build", "-o", OUT / "bin" / "golocal", "./tests/bench/golocal")
    run("go", "build", "-o", OUT / "bin" / "goforeign", "./tests/bench/goforeign", CGO_ENABLED="0")
    run("go", "build", "-o", OUT / "bin" / "goflow", "./tests/bench/goflow", CGO_ENABLED="1")
    run("go", "build", "-o", GRPC, ".", cwd=HERE / "peers" / "grpc")
    run("go", "build", "-buildmode=c-shared", "-o", BRIDGE, ".", cwd=HERE / "peers" / "bridge",
        CGO_ENABLED="1", CGO_CFLAGS="-O2")


def python():
    if not PYTHON.exists():
        shutil.rmtree(OUT / "venv", ignore_errors=True)
        run(sys.executable, "-m", "venv", OUT / "venv")
    run(PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check",
        "-r", HERE / "requirements.txt")
    for module, name in (("uvloop", "uvloop"), ("grpc", "grpc")):
        versions[name] = run(PYTHON, "-c", f"import {module}; print({module}.__version__)").strip()


def everything():
    OUT.mkdir(parents=True, exist_ok=True)
    tokio()
    smol()
    go_programs()
    python()
    uniffi()
    c_programs(libuv())
    loop_programs()
    run(NEIGHBOURS, "build")
    embassy()


def embassy():
    lock = (HERE / "bare" / "embassy" / "Cargo.lock").read_text()
    versions["embassy"] = re.search(r'name = "embassy-executor"\nversion = "(.*?)"', lock)[1]
    try:
        run(BARE, "build", limit=600)
    except (OSError, RuntimeError) as reason:
        print(f"bench: no embassy: {reason}", file=sys.stderr)
        missing.add("embassy")


def argv(command):
    kind, *rest = command.split()
    if kind in ("bare", "embassy"):
        return [BARE, *(rest if kind == "bare" else [kind, *rest])]
    if kind == "py":
        return [PYTHON, HERE / "await.py", *rest, BRIDGE if rest[0] == "naive" else TEST_LIBRARY]
    if kind == "both":
        return [PYTHON, HERE / "both.py", *rest, SIDES[rest[1]]]
    if kind == "flow":
        return ["taskset", "-c", "0", OUT / "bin" / "goflow", *rest]
    if kind in ("tokio", "smol"):
        return [OUT / kind / "release" / f"bench-{kind}", *rest]
    if kind == "near":
        return [NEIGHBOURS, *rest]
    if kind == "go":
        return [OUT / "bin" / "golocal", *rest]
    return [OUT / "bin" / rest[0], *rest[1:]]


def measure(command):
    """Runs a command once. Its only value, or all of them if it has more."""
    out = json.loads(run(*argv(command), limit=180, PYTHONPATH=ROOT / "bindings" / "python" / "src"))
    return next(iter(out.values())) if len(out) == 1 else out


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return (f"{cpu[1] if cpu else platform.processor()}, {os.cpu_count()} cores, "
            f"{platform.system()} {platform.release()}, {run('go', 'env', 'GOVERSION').strip()}, "
            f"CPython {platform.python_version()}")
