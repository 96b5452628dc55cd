/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A cell and its wakers. In capi/core: pillion__mark of cell/mark.c,
 * pillion_wake of executor/wake.c, the drain of executor/drain.c,
 * pillion__cell_take of executor/cells.c, and the leasing of chunks.
 *
 * The cell lives twice. Its first task belongs to executor 0 and may end at any
 * time. Then the same executor uses the cell again; or that executor is freed,
 * the chunk is leased anew, and executor 1 uses the cell. The old waker, of the
 * first task, may come at any time; the new wakers are the second task's.
 *
 * Every statement below is one atomic instruction. A read-modify-write loop is
 * one step: the compare-and-swap that succeeds computed from what it found.
 *
 * Properties: a wake of the second task is followed by a poll that sees what
 * was written before it; the cell is in one inbox at most, once; no task is
 * polled for another's wake.
 *
 * BUG names a mistake that the properties have to find.
 */
#define UPGRADE 1    /* a wake that finds an older one queued leaves it so */
#define OLDER 2      /* a late wake overwrites a newer one */
#define RECYCLE 3    /* a queued cell is used again */
#define INSTALL 4    /* the look at QUEUED comes before the chunk is leased */
#define GENERATION 5 /* the owner doesn't compare generations */
#define GUESS 6      /* a wake counts any task's pending wake as its own */
#ifndef BUG
#define BUG 0
#endif

#define NEW_WAKERS 2

byte gen = 1;        /* of the cell */
bool queued = false; /* pend: QUEUED, */
byte pend_gen = 0;   /* the generation it is meant for, */
bool wake = false;   /* and WAKE */
byte leased = 0;     /* the chunk's executor */
byte inbox[2];       /* how often the cell is in it */

bool live = false, ready = false, handed = false;
byte owner = 0;

byte sequence = 0, seen = 0, done = 0;

inline post(g) {
  atomic { /* the guess changes nothing, so it compares no generation */
    same = queued && wake && (pend_gen == g || BUG == GUESS)
  };
  if
  :: same || gen != g -> skip
  :: else ->
     atomic {
       push = false;
       if
       :: queued && pend_gen > g && BUG != OLDER -> skip
       :: queued && BUG == UPGRADE && pend_gen != g -> skip
       :: queued && (pend_gen <= g || BUG == OLDER) &&
          !(BUG == UPGRADE && pend_gen != g) ->
          wake = true; pend_gen = g
       :: !queued -> queued = true; wake = true; pend_gen = g; push = true
       fi
     };
     if
     :: push ->
        to = leased;
        atomic {
          assert(inbox[0] + inbox[1] == 0);
          inbox[to] = inbox[to] + 1
        }
     :: else
     fi
  fi
}

proctype old_waker() {
  bool push, same;
  byte to;
  post(1);
  done++
}

proctype new_waker() {
  bool push, same;
  byte to;
end_unborn:
  handed;
  sequence++;
  post(2);
  done++
}

inline drain(e) {
  if
  :: inbox[e] > 0 ->
     inbox[e] = inbox[e] - 1;
     atomic {
       found = wake; found_gen = pend_gen;
       queued = false; wake = false; pend_gen = 0
     };
     if
     :: found && live && owner == e && (found_gen == gen || BUG == GENERATION) ->
        ready = true;
        assert(found_gen == gen)
     :: else
     fi
  :: else
  fi
}

inline poll() {
  if
  :: ready -> ready = false; seen = sequence
  :: else
  fi
}

/* The owner of both executors. */
proctype owners() {
  bool found;
  byte found_gen;

  live = true; ready = true;
  poll();
  if
  :: drain(0); poll()
  :: skip
  fi;
  live = false; ready = false;
  gen = 2;

  if
  :: skip -> /* used again by the same executor, unless it is queued */
     do
     :: queued && BUG != RECYCLE -> drain(0)
     :: !queued || BUG == RECYCLE -> break
     od
  :: skip -> /* the executor goes, and the chunk is leased by the other one */
     drain(0);
     if
     :: BUG != INSTALL ->
        leased = 1;
        if
        :: queued && BUG != RECYCLE -> goto passed_over
        :: else
        fi
     :: else ->
        if
        :: queued -> goto passed_over
        :: else
        fi;
        leased = 1
     fi;
     owner = 1
  fi;

  live = true; ready = true;
  poll();
  handed = true;
  do
  :: inbox[owner] > 0 || ready -> drain(owner); poll()
  :: inbox[1 - owner] > 0 -> drain(1 - owner)
  :: done == 1 + NEW_WAKERS && inbox[0] == 0 && inbox[1] == 0 && !ready -> break
  od;
  assert(seen == sequence);
  goto end;

passed_over: /* no process gets its waker */
  done == 1;
end:
  skip
}

init {
  atomic {
    run owners();
    run old_waker();
    run new_waker();
    run new_waker()
  }
}
