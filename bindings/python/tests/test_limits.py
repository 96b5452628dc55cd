# SPDX-License-Identifier: Apache-2.0
"""More calls, larger requests and more blocking functions than the start allows."""

from conftest import run


def test_calls_over_the_quota_wait_for_their_turn():
    out = run(
        """
        import asyncio
        lib.start(max_calls=8, ring=8)
        async def main():
            some = [lib.submit("test.echo", str(i)) for i in range(1000)]
            loops = [lib.submit("test.loop_echo", str(i)) for i in range(100)]
            assert await asyncio.gather(*some) == [str(i).encode() for i in range(1000)]
            assert await asyncio.gather(*loops) == [str(i).encode() for i in range(100)]
            stats = lib.stats()
            assert stats["calls"] == stats["events"] == 1100, stats
        asyncio.run(main())
        counts = lib.counts()
        print(counts["calls"], counts["executors"])
        """
    )
    assert out.split() == ["0", "0"]


def test_two_loops_share_a_quota_and_both_get_on():
    out = run(
        """
        import asyncio, threading
        lib.start(max_calls=1)
        def loop():
            async def main():
                for i in range(50):
                    assert await lib.call("test.echo", str(i)) == str(i).encode()
                print("done", flush=True)
            asyncio.run(main())
        threads = [threading.Thread(target=loop) for _ in range(2)]
        for t in threads: t.start()
        for t in threads: t.join()
        """
    )
    assert out.split() == ["done", "done"]


def test_trio_waits_for_the_quota_too():
    out = run(
        """
        import trio
        lib.start(max_calls=2)
        async def one(i):
            assert await lib.call("test.echo", str(i)) == str(i).encode()
        async def main():
            async with trio.open_nursery() as nursery:
                for i in range(20):
                    nursery.start_soon(one, i)
        trio.run(main)
        print(lib.counts()["calls"], lib.counts()["executors"])
        """
    )
    assert out.split() == ["0", "0"]


def test_requests_over_the_size_are_refused_and_the_rest_goes_on():
    run(
        """
        import asyncio
        lib.start(max_request=1000)
        async def main():
            calls = [lib.submit("test.echo", bytes(n)) for n in (1, 1001, 1000, 5000, 2)]
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(end).__name__ for end in ends] == [
                "bytes", "TooLarge", "bytes", "TooLarge", "bytes"], ends
            assert ends[1].code == -8
        asyncio.run(main())
        try:
            lib.call_sync("test.echo", bytes(1001))
        except pillion.TooLarge:
            pass
        else:
            raise AssertionError
        """
    )


def test_sync_calls_over_the_quota_are_refused():
    run(
        """
        import asyncio
        lib.start(max_calls=1)
        async def main():
            waiting = lib.submit("test.stubborn")
            await asyncio.sleep(0)
            while lib.counts()["calls"] != 1:
                await asyncio.sleep(0)
            try:
                await asyncio.get_running_loop().run_in_executor(None, lib.call_sync, "test.echo")
            except pillion.Again as error:
                assert error.code == -7
            else:
                raise AssertionError
            os._exit(0)
        asyncio.run(main())
        """
    )


def test_blocking_calls_over_max_workers_wait():
    run(
        """
        import asyncio
        async def main():
            lib.start(max_workers=2)
            (r, w), (begun, begins) = os.pipe(), os.pipe()
            calls = [lib.submit("test.read", f"{r} {begins} {i}") for i in range(5)]
            await asyncio.sleep(0)
            first = os.read(begun, 2) + os.read(begun, 2)
            assert sorted(first[::2]) == [0, 1]
            counts = lib.counts()
            assert counts["max_workers"] == counts["workers"] == 2, counts
            assert counts["threads"] >= 2, counts
            calls[2].cancel()
            os.write(w, b"x" * 4)
            await asyncio.gather(*calls, return_exceptions=True)
            assert [c.cancelled() for c in calls] == [False, False, True, False, False]
            assert os.read(begun, 10)[::2] == bytes([3, 4])
        asyncio.run(main())
        """
    )
