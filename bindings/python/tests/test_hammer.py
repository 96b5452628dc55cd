# SPDX-License-Identifier: Apache-2.0
"""Everything at once, with small quotas: nothing is lost, nothing is left."""

import pytest
from conftest import run

CODE = """
import asyncio, random, threading, uvloop

lib.start(max_calls=100, ring=64)

def work(seed, runner):
    rnd = random.Random(seed)
    ends = []

    async def one():
        name, payload, timeout = rnd.choice([
            ("echo", "x", None), ("big", "100", None), ("fail", "x", None), ("echo", "x", 0.001),
            ("loop_echo", "x", None), ("loop_yield", "3", None), ("loop_sleep", "1000", None),
            ("sleep", "1000", 0.0005), ("block", "", 0.001), ("loop_block", "", 0.001),
        ])
        try:
            if timeout is None and rnd.random() < 0.5:
                future = lib.submit("test." + name, payload)
                if rnd.random() < 0.5:
                    if rnd.random() < 0.5:
                        await asyncio.sleep(0)
                    future.cancel()
                await future
            else:
                await lib.call("test." + name, payload, timeout=timeout)
            ends.append("ok")
        except (pillion.Timeout, pillion.GoError, asyncio.CancelledError) as error:
            ends.append(type(error).__name__)

    async def worker():
        for _ in range(20):
            await one()

    async def main():
        await asyncio.gather(*(worker() for _ in range(50)))
        host = lib._local.host
        while host.bursts:  # cancelled calls haven't ended yet
            await asyncio.sleep(0)
        stats = lib.stats()
        assert stats["calls"] == stats["events"], stats
        assert not host.guests and not host.backlog

    runner(main())
    assert len(ends) == 1000

threads = [
    threading.Thread(target=work, args=(int(sys.argv[1]) + n, runner))
    for n, runner in enumerate((asyncio.run, uvloop.run))
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
counts = lib.counts()
print(*(counts[name] for name in ("executors", "tasks", "calls", "payloads")))
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_and_nothing_is_left(seed):
    assert run(CODE, str(seed)) == "0 0 0 0\n"
