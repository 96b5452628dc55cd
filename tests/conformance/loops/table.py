# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of cases and loops from the logs of a run.

    python table.py LOGS    writes README.md here and the summary in the project's"""

import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SUBJECTS = {
    "life": "what lives, and when the loop ends", "time": "deadlines, the budget, the loop's share", "wakes": "wakes, storms, signals",
    "nest": "loops in handlers and polls", "end": "ends in every order", "refuse": "refusals", "memory": "no memory",
    "several": "several executors and loops", "fork": "forks", "random": "random programs", "watch": "descriptors", "watch_go": "Go's descriptors", "flow": "items, lent functions",
}  # fmt: skip
GO = {"foreign/poll": "Go poll", "foreign/channel": "Go channel", "foreign/uv": "Go uv", "foreign/glib": "Go glib", "foreign/event": "Go event", "foreign/sdevent": "Go sdevent"}
START, END = "<!-- made by make adapters -->", "<!-- end -->"


def cases() -> dict[str, str]:
    """The name of each case, and its file."""
    return {
        name: file
        for file in SUBJECTS
        for name in re.findall(r"^(?:TEST\(|GIVEN\(an_executor,\s*)(\w+)\)", (HERE / f"{file}.c").read_text(), re.M)
    }


def c_and_python(text: str) -> dict[str, str]:
    """What became of each case: "yes", "no", or why it does not apply."""
    result, why = {}, ""
    for line in text.splitlines():
        if match := re.match(r"does not apply: (.*)", line):
            why = match[1]
        elif match := re.match(r"\[ +(OK|SKIPPED|FAILED) +\] (\w+)$", line):
            result.setdefault(match[2], {"OK": "yes", "SKIPPED": why, "FAILED": "no"}[match[1]])
    return result


def go(text: str) -> dict[str, dict[str, str]]:
    """The same for each package."""
    hosts: dict[str, dict[str, str]] = {}
    own: dict[str, str] = {}
    why, name = {}, ""
    for line in text.splitlines():
        if match := re.match(r"=== RUN\s+TestLoop/(\w+)$", line):
            name = match[1]
        elif match := re.match(r"\s+kit\.go:\d+: does not apply: (.*)", line):
            why[name] = match[1]
        elif match := re.match(r"\s+--- (PASS|FAIL|SKIP): TestLoop/(\w+)", line):
            own[match[2]] = {"PASS": "yes", "FAIL": "no", "SKIP": why.get(match[2], "no")}[match[1]]
        elif match := re.match(r"(?:ok|FAIL)\s+\S*/(foreign/\w+)\s", line):
            if match[1] in GO:
                hosts[GO[match[1]]] = own
            own, why = {}, {}
    return hosts


def run(logs: pathlib.Path) -> dict[str, dict[str, str]]:
    results = {path.name.removesuffix("-plain.log").replace("_", " "): c_and_python(path.read_text()) for path in sorted(logs.glob("*-plain.log"))}
    results |= go((logs / "go.log").read_text())
    results |= {path.name.removesuffix("-python.log"): c_and_python(path.read_text()) for path in sorted(logs.glob("*-python.log")) if "[" in path.read_text()}
    return results


def full(results: dict[str, dict[str, str]]) -> str:
    """Cases by loops. Numbers stand for the reasons below it."""
    reasons: list[str] = []
    rows = [f"| case | {' | '.join(results)} |", "|---|" + ":-:|" * len(results)]
    for name in cases():
        cells = []
        for result in results.values():
            what = result.get(name, "no")
            if what not in ("yes", "no") and what not in reasons:
                reasons.append(what)
            cells.append({"yes": "✓", "no": "**✗**"}.get(what) or str(reasons.index(what) + 1))
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    notes = [f"{i}. {reason}" for i, reason in enumerate(reasons, 1)]
    wakes = f"{int(os.environ.get('LOOPS_WAKES', 50000)):,}"
    return "\n".join([*rows, "", f"In this run {wakes} wakes met each loop of C. A number says why a case does not apply:", "", *notes])


def summary(table: str) -> str:
    """Subjects by loops, from the full table: how many cases each keeps."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
    hosts, where = lines[0][1:], cases()
    rows = [f"| | {' | '.join(SUBJECTS)} |", "|---|" + ":-:|" * len(SUBJECTS)]
    for column, host in enumerate(hosts, 1):
        counts = []
        for subject in SUBJECTS:
            kept = [line[column] for line in lines[2:] if where[line[0].strip("`")] == subject]
            counts.append("**✗**" if "**✗**" in kept else str(kept.count("✓") or "–"))
        rows.append(f"| {host} | {' | '.join(counts)} |")
    return "\n".join(rows)


def put(path: pathlib.Path, table: str) -> None:
    text = path.read_text()
    head, _, rest = text.partition(START)
    path.write_text(f"{head}{START}\n{table}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    results = run(pathlib.Path(sys.argv[1]))
    table = full(results)
    put(HERE / "README.md", table)
    put(ROOT / "README.md", summary(table))
    print(summary(table))
    sys.exit("**✗**" in table)
