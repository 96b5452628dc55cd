/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A call that a thread waits for, or with -DJOIN a task: capi/core/call/wait.c,
 * and the state of call.c.
 *
 * A worker takes the call up and completes it. A waiter waits, may time out and
 * wait again, and in the end gives up as pillion_call_wait does: it cancels and
 * detaches. A rival with the same handle does one thing at any time: it
 * cancels, waits or detaches. A freed node serves another call, which only its
 * own worker may touch.
 *
 * A task polls the call. It leaves its waker in `taker` and sleeps until a
 * wake, or it is dropped and abandons the call. The words in `taker` have the
 * generation in them, so that a compare-and-swap in a later call fails.
 *
 * Properties: the node is freed exactly once, and not touched afterwards; at
 * most one process gets the result; every process comes to an end.
 *
 * BUG names a mistake that the properties have to find.
 */
#define EARLY 1  /* a detach of an ended call doesn't wait for its publisher */
#define STALE 2  /* the publisher looks at ORPHAN before it says DONE */
#define SHARED 3 /* a detach ignores that another thread waits */
#define TAKE 4   /* a worker takes up a call only if it has no other bits */
#define TWICE 5  /* a detach of an ended call leaves no mark */
#define BEFORE 6 /* the publisher looks at the taker before it says DONE */
#define HASTY 7  /* a task takes the result when the taker's word says so */
#define MUTE 8   /* the end of an orphan wakes no waiter */
#define GREEDY 9 /* a task takes the result without claiming it */
#ifndef BUG
#define BUG 0
#endif

#define NEW 1
#define RUNNING 2
#define DONE 3

byte gen = 1; /* state: generation, */
byte phase = NEW;
bool cancel = false, orphan = false, waited = false;
bool wakeup = false;
#define OPEN 0
#define WAKER 1
#define ENDED 2
byte taker = OPEN;
bool woken = false; /* the task was woken; a task that is gone isn't */
byte frees = 0, results = 0;

/* Frees the node, which the next call uses at once. */
inline node_free() {
  atomic {
    frees++;
    assert(frees == 1);
    gen = 2; phase = NEW;
    cancel = false; orphan = false; waited = false; wakeup = false;
    taker = OPEN
  }
}

/*
 * `had_orphan` is ORPHAN in the state when it became DONE. `who` tells whether
 * there was a taker before; a mistake uses it.
 */
inline publish(had_orphan) {
  atomic {
    assert(gen == 1);
    if
    :: BUG != BEFORE -> who = taker == WAKER
    :: else
    fi;
    taker = ENDED
  };
  if
  :: had_orphan ->
     node_free();
     if
     :: BUG == MUTE -> who = false
     :: else
     fi
  :: else ->
     atomic { assert(gen == 1); wakeup = true } /* and wakes the futex */
  fi;
  atomic {
    if
    :: who -> woken = true
    :: else
    fi
  }
}

proctype worker() {
  bool mine = false, was_orphan = false, who = false;
  atomic { /* take it up */
    if
    :: gen == 1 && phase == NEW &&
       !(BUG == TAKE && (waited || orphan || cancel)) ->
       phase = RUNNING; mine = true
    :: else
    fi
  };
  if
  :: mine ->
     was_orphan = orphan;
     who = taker == WAKER;
     atomic {
       assert(gen == 1 && phase == RUNNING);
       if
       :: BUG != STALE -> was_orphan = orphan
       :: else
       fi;
       phase = DONE
     };
     publish(was_orphan)
  :: else
  fi
}

inline do_cancel() {
  atomic {
    ended = false;
    if
    :: gen == 1 && phase == NEW ->
       phase = DONE; cancel = true; ended = true; had = orphan;
       who = taker == WAKER
    :: gen == 1 && phase == RUNNING -> cancel = true
    :: else
    fi
  };
  if
  :: ended -> publish(had)
  :: else
  fi
}

inline do_detach() {
  atomic { /* it reads the word after the state, and ignores another call's */
    who = gen == 1 && taker == WAKER
  };
  atomic {
    ended = false; gone = true;
    if
    :: gen == 1 && !orphan && (!waited || BUG == SHARED) ->
       if
       :: phase == DONE -> ended = true
       :: else
       fi;
       if
       :: BUG == TWICE && phase == DONE -> skip
       :: else -> orphan = true
       fi;
       gone = false
    :: else
    fi
  };
  if
  :: ended ->
     if
     :: BUG != EARLY -> wakeup
     :: else
     fi;
     node_free()
  :: !ended && !gone && who -> woken = true
  :: else
  fi
}

/* `got` tells whether it got the result; `refused`, that it never will. */
inline do_wait() {
  got = false; refused = false;
  atomic {
    if
    :: gen != 1 || orphan || waited -> refused = true
    :: else -> waited = true
    fi
  };
  if
  :: !refused ->
     if
     :: wakeup -> got = true
     :: true -> /* the time is up, or a signal came */
        atomic { assert(gen == 1); waited = false }
     fi
  :: else
  fi;
  if
  :: got ->
     atomic { results++; assert(results == 1); assert(gen == 1) };
     node_free()
  :: else
  fi
}

/* The task: it polls until it gets the result or a refusal. */
proctype joiner() {
  bool got, refused, registered, ended, had, who, gone, dropped = false;
  if
  :: dropped = true /* at any time while it waits */
  :: skip
  fi;
poll:
  got = false; refused = false; registered = false;
  if
  :: gen != 1 || orphan || waited -> refused = true
  :: else
  fi;
  atomic {
    if
    :: !refused && gen == 1 && taker == OPEN ->
       taker = WAKER; registered = true
    :: !refused && gen == 1 && taker == WAKER -> registered = true
    :: !refused && gen == 1 && taker == ENDED -> got = true
    :: else -> refused = true
    fi
  };
  if
  :: registered ->
     if
     :: gen != 1 || orphan -> refused = true /* the rival has detached it */
     :: else ->
        if
        :: woken -> woken = false; goto poll
        :: dropped -> do_cancel(); do_detach(); refused = true
        fi
     fi
  :: got && !wakeup && BUG != HASTY -> goto poll
  :: else
  fi;
  if
  :: got ->
     atomic {
       if
       :: BUG == GREEDY && gen == 1 -> skip
       :: gen != 1 || orphan || waited -> got = false
       :: else -> waited = true
       fi
     }
  :: else
  fi;
  if
  :: got ->
     atomic { results++; assert(results == 1); assert(gen == 1) };
     node_free()
  :: else
  fi
}

proctype waiter() {
  bool got, refused, ended, had, who, gone;
  do_wait();
  if
  :: !got && !refused -> do_wait()
  :: else
  fi;
  if
  :: !got && !refused -> do_cancel(); do_detach()
  :: else
  fi
}

proctype rival() {
  bool got, refused, ended, had, who, gone;
  if
  :: do_cancel()
  :: do_detach()
  :: do_wait()
  :: skip
  fi
}

init {
#ifdef JOIN
  atomic { run worker(); run joiner(); run rival() };
#else
  atomic { run worker(); run waiter(); run rival() };
#endif
  _nr_pr == 1; /* every process has ended */
  assert(frees <= 1);
  /* A result that no process has: the rival's wait was in the waiter's way. */
  assert(frees == 1 || (phase == DONE && wakeup && !orphan))
}
