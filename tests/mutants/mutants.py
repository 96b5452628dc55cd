# SPDX-License-Identifier: Apache-2.0
"""Plants one-change mistakes and reports which of them every quick test survives.

    make mutants [MUTANTS=100] [SEED=1] [FILES="capi/core/pool/end.c executor/scope.go"]

Half of them are planted in capi/core and half in executor/, in a copy of the tree
(build/mutants/tree). The seed chooses them. A mistake is found when a test fails,
crashes, or hangs. For C these are the core's tests, plain and then under ASan and
UBSan, and the conformance vectors; for Go, `go test ./executor/...`. A mistake that
doesn't compile, or compiles to the same code, doesn't count.

equivalent.txt names mistakes without an effect that a test could see, and says why.
build/mutants/log.jsonl remembers what was found, so that an interrupted run, or one
with a larger number, goes on. The exit code is 1 if a mistake survives that isn't
named.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from operators import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build/mutants"
TREE = OUT / "tree"
COPIED = ["capi", "executor", "include", "foreign", "tests/core", "tests/support",
          "tests/conformance", "go.mod", "go.sum"]
CORES = os.cpu_count() or 1
CC = "gcc -std=c11 -D_GNU_SOURCE -w -Iinclude -Icapi/core -Itests/core".split()
FLAGS = {"plain": ["-O1"],
         "asan": ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]}


def run(command: list[str], seconds: float, memory: int = 0) -> str | None:
    """Runs a command in the tree; says why it failed, or nothing."""
    if memory:
        command = ["prlimit", f"--as={memory}", *command]
    process = subprocess.Popen(command, cwd=TREE, stdout=subprocess.PIPE, errors="replace",
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said, _ = process.communicate(timeout=seconds)
        return None if process.returncode == 0 else f"exit code {process.returncode}\n{said}"
    except subprocess.TimeoutExpired:
        return "hangs"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def built(path: Path, variant: str, suffix: str = "") -> str:
    """The object of a source, with the folder's name: two folders may have a task.c."""
    return f"{OUT}/{variant}/{'-'.join(path.relative_to(TREE).with_suffix('').parts)}{suffix}.o"


class Core:
    """capi/core, its tests, and the vectors."""

    def __init__(self) -> None:
        self.sources = sorted(Path(TREE, "capi/core").glob("**/*.c"))
        self.shared = [*Path(TREE, "tests/core").glob("*.c"), TREE / "tests/support/test.c"]
        self.programs = [(f"{path.parent.name}-{path.stem}", path) for path in
                         sorted(Path(TREE, "tests/core").glob("*/*_test.c"))]
        self.programs.append(("vectors", TREE / "tests/conformance/replay.c"))
        self.seconds: dict[tuple[str, str], float] = {}
        self.prepare("plain")

    def prepare(self, variant: str) -> None:
        """Builds all as it is; it must pass."""
        Path(OUT, variant).mkdir(parents=True, exist_ok=True)
        units = [*self.sources, *self.shared, *(path for _, path in self.programs)]
        with ThreadPoolExecutor(CORES) as pool:
            failures = list(pool.map(lambda path: self.compile(path, variant), units))
        failures = [failure for failure in failures if failure] or \
            [failure for failure in [self.test(variant, {})] if failure]
        if failures:
            sys.exit(f"{variant}, without any mistake: {failures[0]}")

    def compile(self, path: Path, variant: str, out: str = "") -> str | None:
        return run([*CC, *FLAGS[variant], "-c", str(path), "-o",
                    out or built(path, variant)], 120)

    def test(self, variant: str, changed: dict[Path, str]) -> str | None:
        """Links with the changed objects and tests; says which test failed, if one did."""
        objects = [changed.get(path, built(path, variant))
                   for path in self.sources]
        shared = [built(path, variant) for path in self.shared]
        failed: list[str] = []
        first = not any(key[0] == variant for key in self.seconds)

        def check(program: tuple[str, Path]) -> None:
            if failed:
                return
            name, path = program
            binary = f"{OUT}/{variant}/{name}"
            others = objects if name == "vectors" else [*objects, *shared]
            why = run(["gcc", *FLAGS[variant], built(path, variant), *others, "-o",
                       binary, "-lcmocka", "-pthread"], 120)
            if why:
                failed.append(f"does not link: {why}")
                return
            vectors = sorted(map(str, Path(TREE, "tests/conformance/vectors").glob("*.vec")))
            start = time.monotonic()
            why = run([binary, *(vectors if name == "vectors" else [])],
                      300 if first else 10 + 10 * self.seconds[variant, name],
                      0 if variant == "asan" else 8 << 30)
            self.seconds.setdefault((variant, name), time.monotonic() - start)
            if why:
                failed.append(f"{name} {why.splitlines()[0]}" if not first else f"{name} {why}")

        order = sorted(self.programs, key=lambda program: self.seconds.get((variant, program[0]), 0))
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(check, order))
        return failed[0] if failed else None

    def verdict(self, mutant: Mutant) -> str:
        units = [TREE / mutant.path] if mutant.path.endswith(".c") else self.sources
        for variant in FLAGS:
            if not any(key[0] == variant for key in self.seconds):
                with_original(mutant, lambda: self.prepare("asan"))
            changed = {path: built(path, variant, ".changed") for path in units}
            with ThreadPoolExecutor(CORES) as pool:
                if any(pool.map(lambda path: self.compile(path, variant, changed[path]),
                                units)):
                    return "invalid"
            if variant == "plain" and all(
                    Path(changed[path]).read_bytes() ==
                    Path(built(path, "plain")).read_bytes() for path in units):
                return "invalid"
            if why := self.test(variant, changed):
                return f"found: {variant} {why}"
        return "survived"


class Go:
    """executor/ and what lies in it."""

    command = ["go", "test", "-vet=off", "-failfast", "./executor/..."]

    def __init__(self) -> None:
        start = time.monotonic()
        if why := run(self.command, 900):
            sys.exit(f"go test, without any mistake: {why}")
        self.seconds = 20 + 2 * (time.monotonic() - start)

    def verdict(self, mutant: Mutant) -> str:
        if run(["go", "build", "./executor/..."], 300):
            return "invalid"
        why = run([*self.command, f"-timeout={self.seconds:.0f}s"], 300 + self.seconds, 16 << 30)
        if not why:
            return "survived"
        said = [line for line in why.splitlines() if line.startswith(("--- FAIL", "panic:", "FAIL\t"))]
        return f"found: {said[0] if said else why.splitlines()[0]}"


def with_original(mutant: Mutant, do) -> None:
    changed = Path(TREE, mutant.path).read_bytes()
    shutil.copy(ROOT / mutant.path, TREE / mutant.path)
    do()
    Path(TREE, mutant.path).write_bytes(changed)


def copy_tree() -> str:
    """Copies what is built and tested, and returns its digest."""
    shutil.rmtree(TREE, ignore_errors=True)
    digest = hashlib.sha256()
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *COPIED], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.split("\n")
    for name in sorted(name for name in listed if name and Path(ROOT, name).is_file()):
        Path(TREE, name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, TREE / name)
        digest.update(name.encode() + b"\0" + Path(TREE, name).read_bytes())
    return digest.hexdigest()[:16]


def equivalents() -> set[tuple[str, str, str]]:
    """The path, old line and new line of each: its first three lines in the file."""
    named = set()
    for paragraph in Path(__file__).with_name("equivalent.txt").read_text().split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        if lines:
            named.add((lines[0], lines[1].removeprefix("- "), lines[2].removeprefix("+ ")))
    return named


def chosen(files: list[str], seed: str) -> list[Mutant]:
    """All mutants of the files in the seed's order; those of C and of Go take turns."""
    sides: list[list[Mutant]] = []
    for side in ([name for name in files if not name.endswith(".go")],
                 [name for name in files if name.endswith(".go")]):
        found = [mutant for name in side for mutant in mutants(name, Path(TREE, name).read_bytes())]
        random.Random(seed).shuffle(found)
        sides.append(found)
    shorter, longer = sorted(sides, key=len)
    taken = len(shorter)
    return [mutant for pair in zip(*sides) for mutant in pair] + longer[taken:]


def main() -> int:
    wanted, seed = int(os.environ.get("MUTANTS", 100)), os.environ.get("SEED", "1")
    digest = copy_tree()
    files = os.environ.get("FILES", "").split() or sorted(
        str(path.relative_to(TREE)) for pattern in ("capi/core/**/*.[ch]", "executor/**/*.go")
        for path in TREE.glob(pattern)
        if not path.name.endswith("_test.go") and "internal/model" not in str(path))
    log, verdicts = OUT / "log.jsonl", {}
    if log.exists():
        verdicts = dict(map(json.loads, log.read_text().splitlines()))
    sides: dict[bool, Core | Go] = {}
    named, survivors = equivalents(), []
    planted = found = equivalent = 0
    for mutant in chosen(files, seed):
        if planted == wanted:
            break
        path = TREE / mutant.path
        source = path.read_bytes()
        # A survivor may be found once other files have changed; a found mistake stays found.
        key = hashlib.sha256(source + repr(mutant).encode()).hexdigest()[:16]
        verdict = verdicts.get(key) or verdicts.get(key + digest)
        where = f"{mutant.path}:{mutant.line}"
        is_named = (mutant.path, mutant.old, mutant.new) in named
        if is_named:
            verdict = "equivalent"
        if verdict is None:
            go = mutant.path.endswith(".go")
            side = sides[go] = sides.get(go) or (Go() if go else Core())
            path.write_bytes(source[:mutant.start] + mutant.text.encode() + source[mutant.end:])
            try:
                verdict = side.verdict(mutant)
            finally:
                path.write_bytes(source)
            with log.open("a") as out:
                out.write(json.dumps([key + digest if verdict == "survived" else key, verdict]) + "\n")
        if verdict == "invalid":
            continue
        planted += 1
        found += verdict.startswith("found")
        equivalent += is_named
        print(f"{planted:4} {where} ({mutant.what}): {verdict}", flush=True)
        if verdict == "survived":
            survivors.append(f"{mutant.path}:{mutant.line} ({mutant.what})\n- {mutant.old}\n+ {mutant.new}")
    for survivor in survivors:
        print(f"\n{survivor}")
    print(f"\n{planted} planted, {found} found, {equivalent} equivalent, {len(survivors)} survive")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
