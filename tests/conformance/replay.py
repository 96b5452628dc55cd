# SPDX-License-Identifier: Apache-2.0
"""replay.py LIBRARY FILE...: replays vectors through ctypes.

README.md describes the vectors. It prints each case that went differently, and
the totals; the exit code is 1 if one did, and 2 if a vector can't be read.
"""

from __future__ import annotations

import ctypes
import re
import struct
import sys
import threading
from ctypes import POINTER, byref, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

NEVER = (1 << 63) - 1
PENDING, READY = 0, 1
EVENT, JOIN, DETACH = 0, 1, 2
CANCELLED, TIMEDOUT = -11, -16
TASK_TO_WAKER = 1 << 56  # a waker is its task's handle with another kind
ERRORS = {0: "ok", -10: "closed", -7: "again", -1: "invalid", -9: "busy", -5: "reentrant",
          -3: "finished"}
WOKEN = ("woken", "coalesced", "stale")
ASKED = ("asked", "already", "finished")
FEATURES = {"evict", "shield", "deadline"}  # the others are inline in C


# Structs grow at their end. A caller's may be longer than the library's.
def fields(name, *names_and_types):
    return type(name, (ctypes.Structure,), {"_fields_": list(names_and_types)})


Value = fields("Value", ("status", ctypes.c_int32), ("reserved", c_uint32), ("length", c_uint64),
               ("payload", ctypes.c_uint8 * 24))
Timer = fields("Timer", ("private", c_uint64 * 16))  # more than it needs
Progress = fields("Progress", ("size", c_size_t), ("polled", c_uint32), ("more", c_uint32),
                  ("deadline", c_int64), ("live", c_uint64))
Budget = fields("Budget", ("size", c_size_t), ("max_polls", c_uint32), ("reserved", c_uint32),
                ("max_ns", c_int64))
Stats = fields("Stats", ("size", c_size_t), *((n, c_uint64) for n in (
    "turns", "polls", "wakes", "pokes", "poke_errors", "spawned", "dropped", "calls", "events",
    "go_entries")), ("later", c_uint64 * 32))

POLL = ctypes.CFUNCTYPE(c_int, POINTER(Value), c_void_p, c_void_p)
DROP = ctypes.CFUNCTYPE(None, c_void_p)
CLOCK = ctypes.CFUNCTYPE(c_int64, c_void_p)
TIMER_SET = ctypes.CFUNCTYPE(c_int, POINTER(Timer), c_void_p, c_int64)
TIMER_CLEAR = ctypes.CFUNCTYPE(None, POINTER(Timer))
JOINS = ctypes.CFUNCTYPE(c_int, POINTER(Value), c_void_p, c_uint64)
SPAWN = ctypes.CFUNCTYPE(c_int, POINTER(c_uint64), c_void_p, c_void_p, c_void_p, c_uint64, c_uint32)
WAKE = ctypes.CFUNCTYPE(c_int, c_uint64)
SHIELD = ctypes.CFUNCTYPE(c_int, c_void_p, c_int)
ASKED_OP = ctypes.CFUNCTYPE(c_int, c_void_p)

Future = fields("Future", ("size", c_size_t), ("poll", POLL), ("drop", DROP))
Ops = fields("Ops", ("size", c_size_t), ("timer_set", TIMER_SET), ("timer_clear", TIMER_CLEAR),
             ("join", JOINS), ("spawn", SPAWN), ("wake", WAKE), ("shield", SHIELD),
             ("cancelled", ASKED_OP))
Context = fields("Context", ("size", c_size_t), ("waker", c_uint64), ("now", c_int64),
                 ("ops", POINTER(Ops)))
Options = fields("Options", ("size", c_size_t), ("version", c_int), ("flags", c_uint32),
                 ("max_tasks", c_uint32), ("max_calls", c_uint32), ("max_timers", c_uint32),
                 ("max_watches", c_uint32), ("ready", c_uint32), ("max_polls", c_uint32),
                 ("max_ns", c_int64), ("seed", c_uint64), ("clock", CLOCK),
                 ("clock_data", c_void_p), ("later", c_uint64 * 32))


class Broken(Exception):
    """The vector can't be read."""


class Differs(Exception):
    """It went differently."""


def number(word):
    return NEVER if word == "never" else int(word)


def ended(status, outcome, payload):
    if status == CANCELLED:
        return "unstarted" if outcome == 1 else "cancelled"
    if status == TIMEDOUT:
        return "late-unstarted" if outcome == 1 else "late"
    return str(status if status < 0 else struct.unpack("=q", bytes(payload[:8]))[0])


class Actor:
    """A task that follows a script."""

    def __init__(self, stage, index, name, flags, script):
        self.stage, self.index, self.name, self.flags = stage, index, name, flags
        at = script.index("drop") if "drop" in script else len(script)
        self.script, self.last = script[:at], script[at + 1:]
        self.spawns = self.drops = 0
        self.task, self.timer, self.deadline, self.left = c_uint64(), Timer(), Timer(), []
        self.over = self.taken = False
        # Kept here, since the library keeps the addresses.
        self.future = Future(ctypes.sizeof(Future), POLL(self.poll), DROP(self.drop))

    def spawn(self, cx):
        self.left, self.waiting, self.over, self.taken = self.script, False, False, False
        self.timer, self.deadline = Timer(), Timer()
        how = (byref(self.future), None, self.index, self.flags)
        if cx is None:
            rc = lib.pillion_task_spawn(byref(self.task), self.stage.executor, *how)
        else:
            rc = cx.ops.contents.spawn(byref(self.task), ctypes.addressof(cx),
                                       ctypes.addressof(self.future), None, *how[2:])
        if rc == 0:
            self.spawns += 1
            self.waker = self.task.value ^ TASK_TO_WAKER
        return "closed" if rc == -3 else ERRORS[rc]  # a freed executor's handle is stale

    def poll(self, out, context, _self):
        cx = Context.from_address(context)
        ops = cx.ops.contents
        self.stage.trace.append(self.name)
        self.waker, self.stage.ops = cx.waker, ops
        while self.left:
            verb, step = self.left[0], 2
            argument = self.left[1] if len(self.left) > 1 else None
            if verb in ("pend", "yield"):
                self.left = self.left[1:]
                if verb == "yield":
                    ops.wake(cx.waker)
                return PENDING
            if verb == "ready":
                out[0].length = 8
                out[0].payload[:8] = struct.pack("=q", number(argument))
                return READY
            if verb == "fail":
                return number(argument)
            if verb in ("sleep", "until"):
                if not self.wait(cx, ops, verb, number(argument)):
                    return PENDING
            elif verb == "join":
                if not self.join(cx, ops, self.stage.actors[argument]):
                    return PENDING
            elif verb == "arm":
                ops.timer_set(self.timer, context, number(argument))
            elif verb == "disarm":
                self.disarm(self.timer)
                step = 1
            elif verb in ("shield", "unshield"):
                ops.shield(context, verb == "shield")
                step = 1
            elif verb == "asked":
                self.stage.trace.append("!asked" if ops.cancelled(context) else "!unasked")
                step = 1
            elif verb == "again":
                self.left, step = self.script, 0
            else:
                step = self.perform(self.left, cx)
            self.left = self.left[step:]
        return PENDING

    def wait(self, cx, ops, verb, ns):
        """pillion_sleep, in Python's words."""
        if not self.waiting:
            self.until = ns if verb == "until" else min(cx.now + ns, NEVER)
        if self.until <= cx.now:
            self.disarm(self.timer)
            self.waiting = False
            return True
        if not self.waiting:
            ops.timer_set(self.timer, ctypes.addressof(cx), self.until)
        self.waiting = True
        return False

    def join(self, cx, ops, other):
        value = Value()
        rc = ops.join(value, ctypes.addressof(cx), other.task)
        if rc == PENDING:
            return False
        if rc < 0:
            self.stage.trace.append("!" + ERRORS[rc])
        else:
            other.taken = True
            self.stage.trace.append("<" + ended(value.status, 2, value.payload))
        return True

    def disarm(self, timer):
        """As pillion_timer_clear: a timer that was never armed has no operations."""
        if any(timer.private):
            if self.stage.ops is None:  # nothing was polled yet
                lib.pillion_task_deadline(byref(timer), self.task, NEVER)
            else:
                self.stage.ops.timer_clear(timer)

    def perform(self, words, cx):
        result, used = self.stage.perform(words, cx)
        if result not in ("ok", "woken", "asked"):
            self.stage.trace.append("!" + result)
        return used

    def drop(self, _self):
        self.stage.trace.append("~" + self.name)
        self.drops += 1
        self.over = True
        self.disarm(self.timer)
        self.disarm(self.deadline)
        left = self.last
        while left:
            left = left[self.perform(left, None):]


class Stage:
    """A case that is being played, and its executor."""

    def __init__(self, name):
        self.name, self.actors, self.trace, self.now = name, {}, [], 1000
        self.ops = None
        self.max_tasks, self.executor, self.skipped, self.done = 0, None, False, False
        self.clock = CLOCK(lambda _: self.now)

    def begin(self):
        options = Options(size=ctypes.sizeof(Options), max_tasks=self.max_tasks, clock=self.clock)
        options.version = lib.pillion_version()
        self.executor = c_uint64()
        if lib.pillion_executor_new(byref(self.executor), byref(options), None, 0) < 0:
            raise Broken("no executor")
        lib.pillion_executor_bind(self.executor)

    def perform(self, words, cx=None):
        """Does the first deed of words, and returns its result and its length."""
        if words[0] != "elsewhere":
            return self.deed(words[0], words[1], cx, True), 2
        result = []
        other = threading.Thread(
            target=lambda: result.append(self.deed(words[1], words[2], None, False)))
        other.start()
        other.join()
        return result[0], 3

    def deed(self, verb, name, cx, here):
        if verb == "advance":
            self.now += number(name)
            return "ok"
        if verb == "close":
            return ERRORS[lib.pillion_executor_close(self.executor, ("drain", "cancel").index(name))]
        actor = self.actors[name]
        if verb == "spawn":
            return actor.spawn(cx)
        if verb == "wake":
            return WOKEN[(lib.pillion_wake_local if here else lib.pillion_wake)(actor.waker)]
        if verb == "cancel":
            rc = lib.pillion_task_cancel(actor.task)
            return ASKED[rc] if rc >= 0 else ERRORS[rc]
        if verb == "evict":
            rc = lib.pillion_task_evict(actor.task)
            return "finished" if rc == 2 else ERRORS[rc]
        if verb.startswith("deadline:"):
            rc = lib.pillion_task_deadline(byref(actor.deadline), actor.task, number(verb[9:]))
            return "finished" if rc == 2 else ERRORS[rc]
        raise Broken(f"unknown verb {verb}")

    def pokes(self):
        stats = Stats(size=ctypes.sizeof(Stats))
        return stats.pokes if lib.pillion_executor_stat(byref(stats), self.executor) == 0 else 0

    def compare(self, want, got):
        for word in ("more", "poke"):
            if word + "?" in want:
                want = [w for w in want if w != word + "?"]
                got = [w for w in got if w != word]
        if want != got:
            raise Differs(f"  want {' '.join(want)}\n  got  {' '.join(got)}")

    def step(self, words):
        """VERB OBJECT... = RESULT [poke] [TRACE]"""
        at, prefix = words.index("="), 2 if words[0] == "elsewhere" else 1
        before, got, last = self.pokes(), [], None
        for name in words[prefix:at]:
            result, _ = self.perform(words[:prefix] + [name])
            if result != last:
                got.append(result)
            last = result
        got += ["poke"] * (self.pokes() - before)
        self.compare(words[at + 1:], got + self.trace)

    def turn(self, words):
        """turn [polls N] [ns N] : TRACE ; ENDS [live N] [more] [deadline N]"""
        at = words.index(":")
        progress, budget = Progress(size=ctypes.sizeof(Progress)), Budget(size=ctypes.sizeof(Budget))
        for what, n in zip(words[1:at:2], words[2:at:2]):
            setattr(budget, {"polls": "max_polls", "ns": "max_ns"}[what], number(n))
        events = ctypes.create_string_buffer(64 * 4096)
        n = lib.pillion_executor_turn(events, 4096, byref(progress), self.executor, byref(budget))
        if n < 0:
            raise Broken(f"the turn fails: {n}")
        got, names = self.trace + [";"], list(self.actors)
        for i in range(n):
            token, status, outcome, payload = struct.unpack_from("=Q8xiH10x24s8x", events, 64 * i)
            got.append(f"{names[token]}={ended(status, outcome, payload)}")
        # In the vectors a result that waits for a joiner is no live task.
        live = progress.live - sum(
            a.flags == JOIN and a.over and not a.taken for a in self.actors.values())
        got += ["live", str(live)] * (live > 0) + ["more"] * (progress.more > 0)
        got += ["deadline", str(progress.deadline)] * (progress.deadline != NEVER)
        self.compare(words[at + 1:], got)

    def take(self, words):
        first = words[0]
        if first == "needs":
            self.skipped = not FEATURES.issuperset(words[1:])
        elif first == "max_tasks":
            self.max_tasks = int(words[1])
        elif first in ("task", "joined", "detached"):
            at = words.index(":")
            flags = ("task", "joined", "detached").index(first)
            for name in words[1:at]:
                self.actors[name] = Actor(self, len(self.actors), name, flags, words[at + 1:])
        elif first == "advance":
            self.now += number(words[1])
        else:
            if self.executor is None:
                self.begin()
            self.trace = []
            if first == "turn":
                self.turn(words)
            elif first == "free":
                self.free()
                self.compare(words[2:], self.trace)
            else:
                self.step(words)

    def free(self):
        if self.executor is not None and not self.done:
            self.done = True
            lib.pillion_executor_free(self.executor)

    def end(self):
        self.free()
        for a in self.actors.values():
            if a.spawns != a.drops:
                raise Differs(f"  want one drop a spawn\n  got  {a.drops} of {a.name}")


def words_of(line):
    """The words of a line; x3..x5 is x3 x4 x5."""
    for word in line.partition("#")[0].split():
        span = re.fullmatch(r"([^0-9]+)([0-9]+)\.\.[^0-9]*([0-9]+)", word)
        if span:
            yield from (f"{span[1]}{i}" for i in range(int(span[2]), int(span[3]) + 1))
        else:
            yield word


def cases(path):
    case = []
    with open(path, encoding="ascii") as file:
        for at, line in enumerate(file, 1):
            words = list(words_of(line))
            if words and words[0] == "case":
                if case:
                    yield case
                case = []
            if words:
                case.append((at, words))
    if case:
        yield case


def main(paths):
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        for (_, (_, name)), *lines in cases(path):
            stage, at, how = Stage(name), 0, "passed"
            try:
                for at, words in lines:
                    if not stage.skipped:
                        stage.take(words)
                stage.end()
                how = "skipped" if stage.skipped else how
            except Differs as difference:
                print(f"{path}:{at}: {name}\n{difference}")
                how = "failed"
                stage.free()
            except (Broken, LookupError, ValueError) as reason:
                print(f"{path}:{at}: {reason!r}", file=sys.stderr)
                sys.exit(2)
            count[how] += 1
    print(", ".join(f"{n} {what}" for what, n in count.items() if n or what != "skipped"))
    return count["failed"] > 0


if __name__ == "__main__":
    lib = ctypes.PyDLL(sys.argv[1])
    lib.pillion_wake.argtypes = lib.pillion_wake_local.argtypes = [c_uint64]
    lib.pillion_task_deadline.argtypes = [c_void_p, c_uint64, c_int64]
    lib.pillion_task_spawn.argtypes = [c_void_p, c_uint64, c_void_p, c_void_p, c_uint64, c_uint32]
    sys.exit(main(sys.argv[2:]))
