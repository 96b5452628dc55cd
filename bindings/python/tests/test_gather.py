# SPDX-License-Identifier: Apache-2.0
"""Ends that wait for others, so that one wake of the loop tells of many."""

import pytest
from conftest import run


@pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_ends_that_gather_wake_the_loop_once(uvloop):
    run(
        f"""
        import asyncio
        async def main():
            for wrong in (-1, 4.3):
                try:
                    lib.start(gather=wrong)
                except ValueError as error:
                    assert "gather" in str(error)
                else:
                    assert False, wrong
            lib.start(gather=4)
            assert await lib.call("test.echo", "alone") == b"alone"
            pokes = lib.stats()["pokes"]
            calls = [lib.submit("test.echo", str(i)) for i in range(1000)]
            results = await asyncio.gather(*calls)
            assert results == [b"%d" % i for i in range(1000)]
            # A poke tells of half of the calls in flight. A turn takes a part of them
            # and asks for another turn, without a poke while one is pending.
            pokes = lib.stats()["pokes"] - pokes
            assert pokes <= 40, pokes
        if {uvloop}:
            import uvloop
            uvloop.install()
        asyncio.run(main())
        """
    )


def test_ends_that_gather_in_trio():
    """A lone end is told at once, half of many by one poke. Calls that are cancelled or late
    are told in the same way."""
    run(
        """
        import trio
        from pillion import _trio
        async def main():
            lib.start(gather=4)
            results = {}
            async def one(i):
                results[i] = await lib.call(*work[i])
            async def all():
                before = pokes()
                async with trio.open_nursery() as nursery:
                    for i in work:
                        nursery.start_soon(one, i)
                return pokes() - before
            def pokes():
                (host,) = _trio.hosts().values()
                return host.abi.stats(host.executor).pokes
            assert await lib.call("test.echo", "alone") == b"alone"
            work = {i: ("test.echo", str(i)) for i in range(1000)}
            told = await all()
            assert results == {i: b"%d" % i for i in range(1000)}
            assert told <= 40, told
            results.clear()
            # They end one after the other while the loop sleeps. A poke tells of 10 of them,
            # the next of 5 of the others, and so on.
            work = {i: ("test.sleep", str(5_000_000 * i)) for i in range(1, 21)}
            told = await all()
            assert 1 <= told <= 8, told
            results.clear()
            work = {i: ("test.loop_echo", str(i)) for i in range(100)}
            await all()
            assert results == {i: b"%d" % i for i in range(100)}
            with trio.move_on_after(0.001):
                await lib.call("test.block")
            with trio.move_on_after(10) as scope:  # one ends among calls that block
                async with trio.open_nursery() as nursery:
                    for _ in range(9):
                        nursery.start_soon(lib.call, "test.block")
                    await trio.sleep(0.01)
                    assert await lib.call("test.echo", "quick") == b"quick"
                    nursery.cancel_scope.cancel()
            assert not scope.cancelled_caught
            while lib.counts()["calls"]:
                await trio.sleep(0.001)
        trio.run(main)
        """
    )
