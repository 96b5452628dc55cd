# SPDX-License-Identifier: Apache-2.0
"""Measures every row of rows.py side by side with its peers.

    run.py [--rounds N] [--only TEXT]

Ours and the peers take turns, round for round; what is reported is the median
of the rounds, or a percentile of all samples. Results go to build/bench.jsonl,
one line each, and to a table. Nothing is asserted: the exit code says only
whether everything could be measured.
"""

import argparse
import json
import statistics
import sys

import growth
import prepare
from rows import ROWS, Tail


def take_turns(commands, rounds):
    """What each command printed, in each round."""
    results = {c: [] for c in commands}
    for _ in range(rounds):
        for command in commands:
            results[command].append(prepare.measure(command))
    return results


def percentile(samples, p):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


def pool(results, key):
    """All samples of "command#key"."""
    command, _, field = key.partition("#")
    samples = []
    for out in results[command]:
        samples += out[field] if isinstance(out, dict) else out
    return samples


def line(name, unit, ours, theirs, peer, n, machine):
    if isinstance(peer.target, float):
        target, met = f"≤ {peer.target}×", ours / theirs <= peer.target
    elif peer.target:
        target, met = f"≤ {peer.target}", ours <= float(peer.target.split()[0])
    else:
        target, met = "", None
    return {"name": name, "ours": round(ours, 3), "peer": round(theirs, 3),
            "peer_name": peer.name.format(**prepare.versions), "unit": unit,
            "ratio": round(ours / theirs, 3), "target": target, "met": met,
            "n": n, "machine": machine}


def measure_row(row, rounds, machine):
    row = row._replace(peers=[p for p in row.peers if p.command.split()[0] not in prepare.missing])
    keys = [row.ours, *(c for p in row.peers for c in p.command.split(" + "))]
    results = take_turns(list(dict.fromkeys(k.partition("#")[0] for k in keys)), rounds)
    if isinstance(row, Tail):
        ours = pool(results, row.ours)
        for p in row.percentiles:
            for peer in row.peers:
                yield line(f"{row.name}, p{p:g}", row.unit, percentile(ours, p),
                           percentile(pool(results, peer.command), p), peer, len(ours), machine)
        return
    ours = statistics.median(results[row.ours]) * row.scale
    for peer in row.peers:
        theirs = row.scale * sum(statistics.median(results[c])
                                 for c in peer.command.split(" + "))
        yield line(row.name, row.unit, ours, theirs, peer, rounds, machine)


def show(r):
    state = {True: "met", False: "MISSED", None: ""}[r["met"]]
    return (f"{r['name']:<68.68} {r['ours']:>10.2f} {r['peer']:>11.2f} {r['unit']:<3}"
            f"{r['ratio']:>8.3f}  {r['target']:<9} {state:<7} {r['peer_name']}")


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--only", default="", help="rows whose name contains this")
    options = options.parse_args()
    print("bench: building both sides", file=sys.stderr)
    prepare.everything()
    machine, lines, failed = prepare.machine(), [], []
    with open(prepare.ROOT / "build" / "bench.jsonl", "w", encoding="utf-8") as f:
        for row in (r for r in ROWS if options.only in r.name):
            print(f"bench: {row.name}", file=sys.stderr)
            try:
                for result in measure_row(row, options.rounds, machine):
                    lines.append(result)
                    print(json.dumps(result, ensure_ascii=False), file=f, flush=True)
            except RuntimeError as reason:
                failed.append(f"{row.name}: could not be measured: {reason}")
        if options.only in "growth":
            try:
                for result in growth.run(min(options.rounds, 3), machine):
                    lines.append(result)
                    print(json.dumps(result, ensure_ascii=False), file=f, flush=True)
            except RuntimeError as reason:
                failed.append(f"growth: could not be measured: {reason}")
    print(f"\n{machine}\n{'':<68} {'ours':>10} {'peer':>11}    {'ratio':>8}  target")
    print("\n".join(map(show, lines)))
    judged = [r for r in lines if r["met"] is not None]
    print(f"\n{sum(r['met'] for r in judged)} of {len(judged)} targets met")
    print("\n".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
