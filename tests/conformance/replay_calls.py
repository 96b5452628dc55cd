# SPDX-License-Identifier: Apache-2.0
"""replay_calls.py LIBRARY KIND FILE...: replays the vectors of calls through ctypes.

README.md describes them. KIND says where Go's functions run: loop, pool or goroutine.
It prints each case that went differently, and the totals; the exit code is 1 if one
did, and 2 if a vector can't be read.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import struct
import sys
import threading
import time
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

from replay import (
    CLOCK, NEVER, Broken, Differs, Options, Progress, Timer, cases, fields, number,
)

INLINE = 24
ITEM, CALLED, WRITABLE, FINISHED, CANCEL, LINKED = 2, 4, 8, 16, 32, 64
SENDING = 4
RESULTS = {0: "ok", -1: "invalid", -3: "finished", -7: "again", -9: "busy", -10: "closed",
           -20: "unsupported"}
ASKED = ("asked", "already", "finished")
FAILED, CANCELLED, TIMEDOUT, PANIC = -13, -11, -16, -12
TOKEN_CALL, TOKEN_PROVIDER, TOKEN_INBOUND = 1, 1000, 2000

CallOptions = fields(
    "CallOptions", ("size", c_size_t), ("function", c_uint64), ("request", c_char_p),
    ("length", c_size_t), ("token", c_uint64), ("flags", c_uint32), ("reserved", c_uint32),
    ("deadline", c_int64), ("pool", c_uint64), ("credit", c_uint32), ("callbacks", c_uint32),
    ("parent", c_uint64))
ProviderOptions = fields(
    "ProviderOptions", ("size", c_size_t), ("name", c_char_p), ("descriptor", c_char_p),
    ("token", c_uint64), ("functions", c_uint32), ("window", c_uint32))
PoolStats = fields("PoolStats", ("size", c_size_t), ("workers", c_uint64), ("idle", c_uint64),
                   ("threads", c_uint64), ("live", c_uint64), ("polls", c_uint64),
                   ("steals", c_uint64))
Counts = fields("Counts", ("size", c_size_t), *((n, c_uint64) for n in (
    "executors", "tasks", "calls", "payloads", "workers", "parked", "watches", "pools", "threads",
    "max_workers", "providers", "inbound")))


def text_of(word):
    return b"" if word == "''" else word.encode()


def word_of(payload):
    return payload.decode(errors="replace") or "''"


class Value:
    """A pillion_value, with the memory that it points to."""

    def __init__(self, payload, status=0):
        self.payload = payload
        if len(payload) <= INLINE:
            rest = payload.ljust(INLINE, b"\0")
        else:
            self.buffer = ctypes.create_string_buffer(payload, len(payload))
            rest = struct.pack("=QQQ", ctypes.addressof(self.buffer), 0, 0)
        self.bytes = struct.pack("=iIQ", status, 0, len(payload)) + rest


class Event:
    def __init__(self, raw):
        (self.token, self.task, self.status, self.outcome, self.flags, length, data,
         self.link) = struct.unpack("=QQiHHQ24sQ", raw)
        if length > INLINE:
            data = ctypes.string_at(struct.unpack_from("=Q", data)[0], length)
        self.payload = data[:length]


def turn(executor, most):
    """The events of one turn, and whether another is due, and how much lives."""
    progress = Progress(size=ctypes.sizeof(Progress))
    most = min(most, 256)
    events = ctypes.create_string_buffer(64 * max(most, 1))
    n = lib.pillion_executor_turn(events if most else None, most, byref(progress), executor, None)
    if n < 0:
        raise Broken(f"the turn fails: {n}")
    return [Event(events.raw[64 * i:64 * i + 64]) for i in range(n)], progress.more, progress.live


def new_executor(clock=None):
    options = Options(size=ctypes.sizeof(Options), version=lib.pillion_version())
    if clock is not None:
        options.clock = clock
    executor = c_uint64()
    if lib.pillion_executor_new(byref(executor), byref(options), None, 0) < 0:
        raise Broken("no executor")
    lib.pillion_executor_bind(executor)
    return executor


def descriptor_of(executor):
    fd = c_int()
    lib.pillion_executor_fd(byref(fd), executor)
    return fd.value


def control(name, request):
    """Calls a function of Go's beside the case, on an executor of its own."""
    request = json.dumps(request).encode()
    function = find(name)
    if lib.pillion_call_submit(None, beside, function, request, len(request), 0, 0) < 0:
        raise Broken(f"no call of {name}")
    while not (events := turn(beside, 1)[0]):
        select.select([descriptor_of(beside)], [], [])
    return events[0].payload.decode()


def find(name):
    function = c_uint64()
    if lib.pillion_function_find(byref(function), name.encode()) < 0:
        raise Broken(f"no function {name}")
    return function.value


class Call:
    def __init__(self, index, words):
        at = words.index(":")
        self.shape, self.name, self.script = words[0], words[1], words[at + 1:]
        self.token, self.task, self.parent = TOKEN_CALL + index, c_uint64(), 0
        self.reads = self.shape in ("collect", "duplex")
        self.sends, self.credit, self.callbacks = self.reads, 0, 0
        self.deadline = Timer()
        rest = iter(words[2:at])
        for word in rest:
            if word in ("sending", "silent"):
                self.sends = word == "sending"
            else:
                setattr(self, {"credit": "credit", "lends": "callbacks"}[word], int(next(rest)))


class Stage:
    """A case that is being played, its executor, and the host."""

    def __init__(self, name, number_of_case):
        self.name, self.number, self.now = name, number_of_case, 1000
        self.calls, self.inbound, self.providers = {}, {}, {}
        self.names = {}  # by token
        self.executor = self.pool = None
        self.skipped = self.freed = False
        self.clock = CLOCK(lambda _: self.now)

    def begin(self):
        if self.executor is not None:
            return
        self.executor = new_executor(self.clock)
        if kind == "pool":
            self.pool = c_uint64()
            lib.pillion_pool_new(byref(self.pool), None, None, 0)
            lib.pillion_pool_join(self.pool, self.executor, 0)

    # ---- Deeds ----

    def submit(self, call):
        request = json.dumps({"play": self.number, "name": call.name, "script": call.script,
                              "ask": [0, 1, 2, 3], "tell": [0, 1, 2, 3]}).encode()
        tasks = kind != "goroutine"
        options = CallOptions(
            size=ctypes.sizeof(CallOptions), request=request, length=len(request),
            function=find(f"vector.{'loop_' if tasks else ''}{call.shape}"), token=call.token,
            flags=SENDING if call.sends else 0, deadline=NEVER, credit=call.credit,
            callbacks=call.callbacks, parent=call.parent,
            pool=self.pool.value if self.pool and tasks else 0)
        return lib.pillion_call_submit_with(byref(call.task), self.executor, byref(options))

    def answer(self, task, word):
        value = Value(text_of(word))
        if word == "!cancelled":
            value = Value(b"", CANCELLED)
        elif word.startswith("!failed:"):
            why, stack = word[8:].encode(), b"at home"
            value = Value(struct.pack(f"=iI{len(why)}sI{len(stack)}s", 5, len(why), why,
                                      len(stack), stack), FAILED)
        return lib.pillion_call_answer(task, value.bytes)

    def provide(self, name, window):
        token = TOKEN_PROVIDER + len(self.providers)
        options = ProviderOptions(
            size=ctypes.sizeof(ProviderOptions), name=b"vector.Host", token=token, functions=4,
            descriptor=json.dumps({"functions": [{"name": n} for n in (
                "other", "fetch", "feed", "sum")]}).encode(), window=window)
        handle = c_uint64()
        rc = lib.pillion_provider_new(byref(handle), self.executor, byref(options), None, 0)
        if rc == 0:
            self.providers[name], self.names[token] = handle, name
        return rc

    def told(self, word):
        return self.inbound.get("" if word == "''" else word, 0)

    def task(self, name):
        return self.told(name) or self.calls[name].task

    def deed(self, verb, name, *rest):
        if verb == "submit":
            if rest:
                self.calls[name].parent = self.told(rest[1])
            return self.submit(self.calls[name])
        if verb == "credit":
            rc = lib.pillion_call_credit(self.task(name), int(rest[0]))
            return str(rc) if rc >= 0 else rc
        if verb == "send":
            return lib.pillion_call_send(self.task(name), Value(text_of(rest[0])).bytes)
        if verb == "finish":
            return lib.pillion_call_finish(self.task(name))
        if verb == "cancel":
            rc = lib.pillion_task_cancel(self.calls[name].task)
            return ASKED[rc] if rc >= 0 else rc
        if verb.startswith("deadline:"):
            call = self.calls[name]
            rc = lib.pillion_task_deadline(byref(call.deadline), call.task, number(verb[9:]))
            return "finished" if rc == 2 else rc
        if verb == "answer":
            return self.answer(self.told(name), rest[0])
        if verb == "accept":
            token = TOKEN_INBOUND + list(self.inbound).index(name)
            self.names[token] = name
            return lib.pillion_call_accept(self.told(name), token, int(rest[0]) if rest else 0)
        if verb == "provide":
            return self.provide(name, int(rest[1]) if rest else 0)
        if verb == "withdraw":
            return lib.pillion_provider_free(self.providers[name])
        if verb == "close":
            return lib.pillion_executor_close(self.executor, ("drain", "cancel").index(name))
        if verb == "wake":
            control("vector.wake", {"play": self.number, "name": name})
            return 0
        raise Broken(f"unknown verb {verb}")

    def perform(self, words, elsewhere):
        results = []

        def run():
            result = self.deed(*words)
            results.append(result if isinstance(result, str) else RESULTS.get(result, str(result)))

        if elsewhere:
            other = threading.Thread(target=run)
            other.start()
            other.join()
        else:
            run()
        return results[0]

    def step(self, words):
        """[elsewhere] VERB OBJECT ARGUMENT... = RESULT..."""
        at, elsewhere = words.index("="), words[0] == "elsewhere"
        deed = words[elsewhere:at]
        each = [deed[:2] + [w] for w in deed[2:]] if deed[0] == "send" else [deed]
        got = []
        for one in each:
            result = self.perform(one, elsewhere)
            if got[-1:] != [result]:
                got.append(result)
        compare(words[at + 1:], got)

    # ---- Events ----

    def word(self, e):
        name, payload = self.names.get(e.token, "unknown"), word_of(e.payload)
        if e.flags & CALLED:
            if e.task == 0:
                return f"{name}:{e.outcome}:{payload}"
            self.inbound[e.payload.decode()] = e.task
            linked = "@" + self.names[e.link] if e.flags & LINKED else ""
            return f"{name}?{e.outcome}:{payload}{linked}"
        own = next((n for n, task in self.inbound.items() if task == e.task), name)
        if e.flags == ITEM:
            return f"{own}>{payload}"
        if e.flags == WRITABLE:
            return f"{own}~{'closed' if e.status == -10 else ''}"
        if e.flags == FINISHED:
            return f"{own}/"
        if e.flags == CANCEL:
            return f"{name}!{own}"
        return f"{name}={self.ended(e, payload)}"

    def ended(self, e, payload):
        if e.status == 0:
            return payload
        if e.status in (CANCELLED, TIMEDOUT):
            return "unstarted" if e.outcome == 1 else "late" if e.status == TIMEDOUT else "cancelled"
        if e.status == FAILED:
            length = struct.unpack_from("=I", e.payload, 4)[0]
            return "failed:" + e.payload[8:8 + length].decode()
        return {PANIC: "panic"}.get(e.status, str(e.status))

    def trace(self):
        return control("vector.trace", self.number).split()

    def live(self, live):
        """A call on a pool counts among the pool's tasks, too."""
        stats = PoolStats(size=ctypes.sizeof(PoolStats))
        if self.pool:
            lib.pillion_pool_stat(byref(stats), self.pool)
        return live - stats.live

    def turn(self, words):
        """turn [N] : TRACE ; EVENTS [live N], with N events at most"""
        colon, semicolon = words.index(":"), words.index(";")
        most = int(words[1]) if colon == 2 else 1 << 30
        trace, events, live = words[colon + 1:semicolon], words[semicolon + 1:], 0
        if events[-2:-1] == ["live"]:
            events, live = events[:-2], int(events[-1])
        seen, got, end = [], [], time.monotonic() + patience
        while True:
            told, more, lives = turn(self.executor, most - len(got))
            got += map(self.word, told)
            lives = self.live(lives)
            seen += self.trace()
            if told or (more and len(got) < most):
                continue
            if len(got) >= len(events) and len(seen) >= len(trace) and lives == live:
                break
            if time.monotonic() > end:
                break
            select.select([descriptor_of(self.executor)], [], [], 0.001)
        compare(state(trace, events, live), state(seen, got, lives))

    def take(self, words):
        first = words[0]
        if first == "on":
            self.skipped = kind not in words
        elif first in ("call", "stream", "collect", "duplex"):
            call = Call(len(self.calls), words)
            self.calls[call.name], self.names[call.token] = call, call.name
            self.skipped = self.skipped or (call.reads and kind != "goroutine")
        elif first == "advance":
            self.now += number(words[1])
        else:
            self.begin()
            if first == "turn":
                self.turn(words)
            elif first == "free":
                self.free()
                seen, end = [], time.monotonic() + patience
                while len(seen) < len(words) - 2 and time.monotonic() < end:
                    seen += self.trace()
                    time.sleep(0.001)
                compare(words[2:], seen)
            else:
                self.step(words)

    def free(self):
        if self.executor is not None and not self.freed:
            self.freed = True
            lib.pillion_executor_free(self.executor)
            if self.pool:
                lib.pillion_pool_free(self.pool)


def owner(event):
    """The call that an event belongs to: events of several calls have no order."""
    at = next(i for i, c in enumerate(event) if c in ">:=~?!/")
    if event[at] == "?":
        return event[at:].partition(":")[2].partition("@")[0]
    return event[at + 1:] if event[at] == "!" else event[:at]


def state(trace, events, live):
    return trace + [";"] + sorted(events, key=owner) + ["live", str(live)] * (live > 0)


def compare(want, got):
    if want != got:
        raise Differs(f"  want {' '.join(want)}\n  got  {' '.join(got)}")


def something_lives():
    """What the functions have left behind goes soon."""
    counts = Counts(size=ctypes.sizeof(Counts))
    for _ in range(10000):
        lib.pillion_library_count(byref(counts))
        if not (counts.executors + counts.tasks + counts.calls + counts.payloads + counts.pools
                + counts.providers + counts.inbound):
            return False
        time.sleep(0.001)
    return True


def main(paths):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        for (_, (_, name)), *lines in cases(path):
            stage, at, how = Stage(name, sum(count.values()) + 1), 0, "passed"
            try:
                for at, words in lines:
                    if not stage.skipped:
                        stage.take(words)
                how = "skipped" if stage.skipped else how
            except Differs as difference:
                print(f"{path}:{at}: {name} ({kind})\n{difference}")
                how = "failed"
            except (Broken, LookupError, ValueError) as reason:
                print(f"{path}:{at}: {reason!r}", file=sys.stderr)
                sys.exit(2)
            stage.free()
            count[how] += 1
    lib.pillion_executor_free(beside)
    if something_lives():
        print("something is alive at the end")
        count["failed"] += 1
    print(", ".join(f"{n} {what}" for what, n in count.items() if n or what != "skipped"))
    return count["failed"] > 0


if __name__ == "__main__":
    lib = ctypes.PyDLL(sys.argv[1])
    for verb in ("credit", "send", "finish", "answer", "accept"):
        getattr(lib, f"pillion_call_{verb}").argtypes = [
            c_uint64, *{"credit": [c_uint32], "send": [c_char_p], "answer": [c_char_p],
                        "accept": [c_uint64, c_uint32]}.get(verb, [])]
    lib.pillion_task_cancel.argtypes = [c_uint64]
    lib.pillion_task_deadline.argtypes = [c_void_p, c_uint64, c_int64]
    lib.pillion_call_submit.argtypes = [c_void_p, c_uint64, c_uint64, c_char_p, c_size_t, c_uint64,
                                        c_uint32]
    lib.pillion_executor_turn.argtypes = [c_void_p, c_size_t, POINTER(Progress), c_uint64, c_void_p]
    kind, patience = sys.argv[2], int(os.environ.get("PATIENCE", "10000")) / 1000
    beside = new_executor()
    sys.exit(main(sys.argv[3:]))
