# SPDX-License-Identifier: Apache-2.0
"""Plants the mistakes of planted.txt, one at a time, in a copy of the tree, and
replays the corpora. One that no input finds is a failure: of an oracle, or of a
corpus."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build/fuzz"
TREE = OUT / "tree"
COPIED = ["capi", "executor", "include", "tests/fuzz", "go.mod", "go.sum"]
CORE = ("clang -std=c11 -D_GNU_SOURCE -w -g -O0 -fsanitize=fuzzer,undefined -fno-sanitize-recover=all"
        " -Iinclude -Icapi/core tests/fuzz/core/core_fuzz.c capi/core.c -o planted -pthread").split()


def run(command: list[str]) -> tuple[int, str]:
    process = subprocess.run(command, cwd=TREE, capture_output=True, errors="replace")
    return process.returncode, process.stdout + process.stderr


def replay(path: str) -> tuple[int, str]:
    if path.endswith(".go"):
        return run(["go", "test", "-vet=off", "-run", "^Fuzz", "-timeout=100s", "./executor", "./executor/internal/model"])
    built, said = run(CORE)
    if built != 0:
        sys.exit(said)
    return run(["./planted", "-timeout=10", "-runs=0", "tests/fuzz/core/corpus"])


def main() -> int:
    shutil.rmtree(TREE, ignore_errors=True)
    for name in COPIED:
        (TREE / name).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if Path(ROOT, name).is_dir() else shutil.copy
        copy(ROOT / name, TREE / name)
    passed = failed = 0
    for paragraph in Path(__file__).with_name("planted.txt").read_text().split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        name, old, new = lines[0], lines[1].removeprefix("- "), lines[2].removeprefix("+ ")
        source = Path(TREE, name).read_text()
        if source.count(old) != 1:
            sys.exit(f"{name} has {source.count(old)} times: {old}")
        Path(TREE, name).write_text(source.replace(old, new))
        found, said = replay(name)
        Path(TREE, name).write_text(source)
        why = [line for line in said.splitlines() if "WRONG" in line or "runtime error" in line
               or line.strip().startswith(("--- FAIL", "fuzz_test", "the model"))]
        print(f"{name}: {old} -> {new}: {why[0].strip() if why else said[-200:] if found else 'not found'}")
        passed += found != 0
        failed += found == 0
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
