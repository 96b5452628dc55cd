# SPDX-License-Identifier: Apache-2.0
"""What each operation costs beside 100, 10,000 and a million live tasks.

    growth.py [--rounds N]

Ours and the peers take turns; medians of the rounds go to a table, to pictures in
build/bench (growth.svg has all), to the one that the README shows, growth.svg beside
this file, and, for ours, to build/bench.jsonl. Beside a million
an operation may cost twice what it costs beside a hundred. If it takes tasks or timers
in a random order, the next one of a million is in no cache, in any of the programs: so a
hundred and one access to memory (`touch`) are what it is judged by.
"""

import argparse
import datetime
import json
import statistics
import sys

import chart
import prepare

SIZES = (100, 10_000, 1_000_000)
FEWER = SIZES[:2]  # for a peer that takes more than a minute with a million
OURS = ("C", "Go")
SHOWN = "spawn"  # in the README
IN_ORDER = ("step", "spawn", "set a timer")  # they go through memory in its order
TOUCH = "c growth touch {n}#growth"

# Each has its commands; "#key" chooses one of several results.
OPERATIONS = {
    op: {
        "C": f"c growth {op} {{n}}#growth",
        "Go": f"go growth {op} {{n}}#growth",
        "tokio": f"tokio growth {op} {{n}}#growth",
        "smol": f"smol growth {op} {{n}}#growth",
        "goroutines": f"go goroutines {op} {{n}}#goroutines",
    }
    for op in ("step", "spawn", "wake", "cancel")
} | {
    "set a timer": {
        "C": "c timer {n}#set", "Go": "go timer {n}#arm", "tokio": "tokio timer {n}#set",
        "goroutines": "go goroutines timer-set {n}#goroutines",
    },
    "move a timer": {
        "C": "c timer {n}#move", "Go": "go timer {n}#reset", "tokio": "tokio timer {n}#move",
    },
    "fire a timer": {
        "C": "c timer {n}#fire", "Go": "go timer {n}#fire", "tokio": "tokio timer {n}#fire",
    },
    "clear a timer": {
        "C": "c timer {n}#clear", "Go": "go timer {n}#drop", "tokio": "tokio timer {n}#clear",
        "goroutines": "go goroutines timer-clear {n}#goroutines",
    },
}


def sizes(command):
    return FEWER if command.startswith("go goroutines step") else SIZES


def all_commands():
    known = {TOUCH: None}
    for commands in OPERATIONS.values():
        known |= dict.fromkeys(commands.values())
    return known


def measured(rounds):
    """{(command, n): ns}: each program runs once a round and size."""
    samples = {}
    for turn in range(rounds):
        for n in SIZES:
            print(f"bench: growth, round {turn + 1}, {n:,} tasks", file=sys.stderr)
            outputs = {}
            for command in all_commands():
                if n not in sizes(command):
                    continue
                program, _, key = command.format(n=n).partition("#")
                if program not in outputs:
                    out = prepare.measure(program)
                    outputs[program] = out if isinstance(out, dict) else {key: out}
                samples.setdefault((command, n), []).append(outputs[program][key])
    return {at: statistics.median(s) for at, s in samples.items()}


def series(ns, command):
    return [(n, ns[command, n]) for n in sizes(command)]


def draw(ns, rounds, machine):
    touch = [(n, ns[TOUCH, n]) for n in SIZES]
    panels = {
        op: chart.Panel(op, "armed timers" if "timer" in op else "live tasks",
                        {who: series(ns, c) for who, c in commands.items()} | {"touch": touch})
        for op, commands in OPERATIONS.items()
    }
    notes = [f"{datetime.date.today()}, medians of {rounds} rounds: tests/bench/run.sh --only growth",
             machine, "tokio {tokio}, smol's async-executor {smol}".format(**prepare.versions)]
    prepare.OUT.mkdir(parents=True, exist_ok=True)
    (prepare.OUT / "growth.svg").write_text(chart.page(list(panels.values()), 2, notes), encoding="utf-8")
    for op, panel in panels.items():
        name = f"growth-{op.replace(' a ', '-').replace(' ', '-')}.svg"
        (prepare.OUT / name).write_text(chart.page([panel], 1, notes), encoding="utf-8")
    life = chart.Panel("a task's life beside others: spawned, polled once, gone", "live tasks",
                       {who: series(ns, c) for who, c in OPERATIONS[SHOWN].items()})
    (prepare.HERE / "growth.svg").write_text(chart.page([life], 1, notes), encoding="utf-8")


def bound(ns, op, command):
    """An operation beside a million may cost twice this; and the name of that."""
    few = ns[command, SIZES[0]]
    if op in IN_ORDER:
        return few, "beside a hundred"
    return few + ns[TOUCH, SIZES[-1]], "beside a hundred, and one access to memory"


def judged(ns, rounds, machine):
    """A line of build/bench.jsonl for each operation of ours."""
    for op, commands in OPERATIONS.items():
        for who in OURS:
            many, (peer, name) = ns[commands[who], SIZES[-1]], bound(ns, op, commands[who])
            yield {"name": f"growth: {who}: {op}, beside a million live tasks", "ours": round(many, 3),
                   "peer": round(peer, 3), "peer_name": name, "unit": "ns",
                   "ratio": round(many / peer, 3), "target": "≤ 2.0×", "met": many <= 2 * peer,
                   "n": rounds, "machine": machine}


def table(ns):
    head = "".join(f"{n:>12,}" for n in SIZES)
    yield f"\n{'ns, beside so many live tasks':<32}{head}   growth    judged"
    for op, commands in OPERATIONS.items():
        for who, command in commands.items():
            values = [v for _, v in series(ns, command)]
            cells = "".join(f"{v:>12.1f}" for v in values) + " " * 12 * (len(SIZES) - len(values))
            state = ""
            if len(values) == len(SIZES):
                state = f"{values[-1] / values[0]:>8.2f}×"
                if who in OURS:
                    ratio = values[-1] / bound(ns, op, command)[0]
                    state += f"{ratio:>9.2f}×  {'met' if ratio <= 2 else 'MISSED'}"
            yield f"{op + ': ' + who:<32}{cells}{state}"
    yield f"{'touch 64 bytes, in random order':<32}" + "".join(
        f"{ns[TOUCH, n]:>12.1f}" for n in SIZES)


def run(rounds, machine):
    """Measures, draws and prints; gives the lines."""
    ns = measured(rounds)
    draw(ns, rounds, machine)
    print("\n".join(table(ns)))
    print(f"\ndrawn to {prepare.OUT.relative_to(prepare.ROOT)}/growth*.svg and tests/bench/growth.svg")
    return list(judged(ns, rounds, machine))


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=3)
    options = options.parse_args()
    prepare.everything()
    for line in run(options.rounds, prepare.machine()):
        print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
