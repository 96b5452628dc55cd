/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A task of a pool, and the threads that may touch it: capi/core/pool/task.c
 * and end.c, and their twins in executor/.
 *
 * Its cell lives twice. The first task is joined. Its joiner takes the result,
 * frees the cell, and spawns the second, detached task into it. A waker of the
 * first task may come at any time. The second has two wakers, one of which
 * cancels it with -DCANCEL. Two workers pop and poll. The cell's place in a
 * deque or an inbox is a count here; pool_deque.pml models the deque.
 *
 * Every statement below is one atomic instruction. A read-modify-write loop is
 * one step: the compare-and-swap that succeeds computed from what it found.
 *
 * Properties: the cell is in one queue at most, once; it has one holder, and so
 * one poll at most; a wake of the second task is followed by a poll that sees
 * what was written before it; a cancel ends it; no task is polled for another's
 * wake, or after its end; the joiner gets the result.
 *
 * BUG names a mistake that the properties have to find.
 */
#define GENERATION 1 /* a pop doesn't compare generations */
#define REST 2       /* the holder gives QUEUED back without a look */
#define UPGRADE 3    /* a wake that finds an older one queued leaves it so */
#define RECYCLE 4    /* a queued cell is used again */
#define LATE 5       /* a waiting result isn't marked: late wakers queue it */
#define BACK 6       /* the holder gives back an older waker's QUEUED without a look */
#define OLDER 7      /* a late wake overwrites a newer one */
#define JOIN 8       /* the end looks for a joiner, then marks the end */
#ifndef BUG
#define BUG 0
#endif

#define OPEN 0
#define WAITS 1
#define ENDED 2
#define TAKEN 3

byte gen = 1;
bool live = true;
bool queued = true;                 /* pend: QUEUED, */
byte pend_gen = 1;                  /* the generation it is meant for, */
bool wake = false, cancel = false, done = false; /* and the rest */
byte pushed = 1;                    /* how often it is in a queue */
byte holders = 0;
byte joiner = OPEN;
bool result = false, ending = false, waiting = false, joiner_woken = false;
bool handed = false, ended = false, asked_for = false;
byte sequence = 0, seen = 0, finished = 0;

inline push() {
  atomic { assert(pushed == 0); pushed++ }
}

inline clear_pend() {
  queued = false; wake = false; cancel = false; done = false; pend_gen = 0
}

inline post(g, c) {
  if
  :: gen != g -> skip
  :: else ->
     atomic {
       mine = false;
       if
       :: pend_gen > g && BUG != OLDER -> skip
       :: pend_gen == g && done -> skip
       :: queued && pend_gen < g && BUG == UPGRADE -> skip
       :: else ->
          if
          :: queued && pend_gen == g -> wake = true; cancel = cancel || c
          :: queued && pend_gen != g -> wake = true; cancel = c; done = false
          :: else -> mine = true; cancel = c
          fi;
          queued = true; pend_gen = g
       fi
     };
     if
     :: mine -> push()
     :: else
     fi
  fi
}

proctype old_waker() {
  bool mine;
  post(1, false);
  finished++
}

proctype new_waker(bool cancels) {
  bool mine;
end_unborn:
  handed;
  if
  :: cancels -> asked_for = true
  :: else -> sequence++
  fi;
  post(2, cancels);
  finished++
}

/* The end of the first task, by the holder. */
inline end_joined() {
  atomic {
    if
    :: BUG == LATE -> clear_pend()
    :: else -> wake = false; cancel = false; done = true
    fi
  };
  atomic { result = true; ending = true };
  holders = 0;
  if
  :: BUG == JOIN -> was = joiner; joiner = ENDED
  :: else -> atomic { was = joiner; joiner = ENDED }
  fi;
  if
  :: was == WAITS -> joiner_woken = true
  :: else
  fi;
  ending = false
}

inline free_cell() {
  live = false;
  gen++;
  atomic { clear_pend() }
}

inline free_cell_ended() {
  ended = true;
  live = false;
  gen = 3;
  atomic { clear_pend(); holders = 0 }
}

inline rest() {
  atomic {
    if
    :: (!wake && !cancel && pend_gen == mine) || BUG == REST ->
       clear_pend(); holders = 0
    :: else -> due = false
    fi
  };
  if
  :: !due -> atomic { assert(pushed == 0); holders = 0; pushed++ }
  :: else
  fi
}

proctype worker() {
  bool due, asked, back;
  byte mine, was;
end_idle:
  do
  :: atomic { pushed > 0 -> pushed--; assert(holders == 0); holders = 1 };
     mine = gen;
     atomic { /* the load; and if it isn't QUEUED alone, the swap */
       due = false; asked = false; back = false;
       if
       :: !live -> clear_pend(); holders = 0
       :: else ->
          if
          :: pend_gen == mine || BUG == GENERATION ->
             assert(pend_gen == mine);
             due = true; asked = cancel; wake = false; pend_gen = mine
          :: else ->
             if
             :: BUG == BACK -> back = true
             :: else -> clear_pend(); holders = 0
             fi
          fi
       fi
     };
     if
     :: back -> atomic { clear_pend(); holders = 0 }
     :: !due && !back
     :: due && asked ->
        assert(live && asked_for);
        free_cell_ended()
     :: due && !asked ->
        assert(live && !(mine == 1 && result));
        if
        :: mine == 1 -> end_joined()
        :: mine == 1 -> rest()
        :: mine == 2 -> seen = sequence; rest()
        fi
     fi
  od
}

/* Joins the first task, and spawns the second one in its place. */
proctype owner() {
  do
  :: atomic { joiner == OPEN -> joiner = WAITS; waiting = true }; goto waits
  :: atomic { joiner == ENDED -> joiner = TAKEN }; break
  od;
take:
  assert(result);
  free_cell();
reuse:
  atomic {
    (queued == false || BUG == RECYCLE) -> /* a queued cell is put aside */
    queued = true; pend_gen = gen; wake = false; cancel = false; done = false
  };
  live = true;
  push();
  handed = true;
  finished++;
  goto end;
waits:
end_waits: /* a task that is not woken again may wait for ever */
  joiner_woken;
  atomic { joiner == ENDED -> joiner = TAKEN };
  goto take;
end:
  skip
}

proctype judge() {
end_never:
  if
  :: atomic { waiting && result && !ending -> assert(joiner_woken) }
  :: atomic {
    finished == 4 && pushed == 0 && holders == 0 ->
    assert(asked_for || seen == sequence);
    assert(!asked_for || ended);
    assert(!queued)
  }
  fi
}

init {
  atomic {
    run owner();
    run old_waker();
    run worker();
    run worker();
#ifdef CANCEL
    run new_waker(true);
#else
    run new_waker(false);
#endif
    run new_waker(false);
    run judge()
  }
}
