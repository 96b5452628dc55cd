/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The idle set, and the pokes: capi/core/pool/ready.c, and its twin in
 * executor/.
 *
 * Two workers and two pushers. One of the tasks pushes another into its
 * worker's deque, and wakes itself: the other worker sees neither before a
 * fence. Then its poll blocks the worker, like a busy loop, until the pushed
 * task was polled; or the first worker's loop is busy for as long between two
 * turns. Only one worker blocks at a time, so that one is left. With -DLEAVE
 * none blocks, and the second worker may leave for good.
 *
 * Properties: all tasks are polled, so no worker sleeps while work waits that
 * the other can't do (there is no invalid end state).
 *
 * BUG names a mistake that the properties have to find.
 */
#define AGAIN 1 /* no second look at the work after going idle */
#define EARLY 2 /* a pusher looks at the idle set before it pushes */
#define POP 3   /* no look after a pop that leaves work */
#define HAND 4  /* a leaver takes its deque along */
#define POKE 5  /* a leaver tells no other worker */
#define FENCE 6 /* the end of a turn looks without a fence */
#define OFF 7   /* a thread takes a worker off the set and doesn't poke it */
#define MORE 8  /* a turn that ends with work left doesn't look */
#define LEFT 9  /* a thief leaves a lone task, though no worker pops it */
#ifndef BUG
#define BUG 0
#endif

#define START 1 /* tasks, one bit each; it becomes BLOCKS */
#define BLOCKS 2
#define FREES 4
#define OTHER 8
#define ALL 15
#define SINGLE(set) (set == START || set == BLOCKS || set == FREES || set == OTHER)

byte inbox = 0;
byte deque[2];  /* as all see it */
byte unseen[2]; /* pushed by the owner, and not yet seen by others */
bool idle[2];   /* the set */
bool poked[2] = { true, true };
byte polled = 0;
bool stuck = false;

/* Takes one worker off the set and pokes it. */
inline look() {
  atomic {
    if
    :: idle[0] -> idle[0] = false; victim = 0
    :: idle[1] -> idle[1] = false; victim = 1
    :: else -> victim = 2
    fi
  };
  atomic {
    if
    :: victim < 2 && BUG != OFF -> poked[victim] = true
    :: else
    fi;
    victim = 0
  }
}

inline fence(w) { deque[w] = deque[w] | unseen[w]; unseen[w] = 0 }

proctype pusher(byte task) {
  byte victim;
  if
  :: BUG == EARLY -> look()
  :: else
  fi;
  inbox = inbox | task;
  if
  :: BUG != EARLY -> look()
  :: else
  fi
}

inline stand_still() {
#ifndef LEAVE
  if
  :: atomic { !stuck -> stuck = true }; atomic { (polled & FREES) -> stuck = false }
  :: true
  fi
#else
  skip
#endif
}

inline poll() {
  if
  :: task == BLOCKS -> stand_still()
  :: task == START ->
     if /* the first task of an empty deque needs no look */
     :: deque[me] != 0 ->
        atomic { unseen[me] = unseen[me] | FREES; fence(me) };
        look()
     :: deque[me] == 0 -> unseen[me] = unseen[me] | FREES
     fi;
     unseen[me] = unseen[me] | BLOCKS
  :: else
  fi;
  atomic { assert(!(polled & task)); polled = polled | task; task = 0 }
}

proctype worker(byte me) {
  byte victim, task, alone;
end_sleep:
  do
  :: poked[me] ->
     atomic { poked[me] = false; idle[me] = false };
     do
     :: atomic { (deque[me] | unseen[me]) == 0 && inbox != 0 ->
          deque[me] = inbox; inbox = 0 }
     :: atomic { (deque[me] | unseen[me] | inbox) == 0 && deque[1 - me] != 0 ->
          if /* steals one */
          :: deque[1 - me] & START -> task = START
          :: deque[1 - me] & BLOCKS -> task = BLOCKS
          :: deque[1 - me] & FREES -> task = FREES
          :: deque[1 - me] & OTHER -> task = OTHER
          fi;
          deque[1 - me] = deque[1 - me] & (ALL - task);
          deque[me] = task; task = 0 }
     :: (deque[me] | unseen[me] | inbox | deque[1 - me]) == 0 -> break
     :: atomic { (deque[me] | unseen[me]) != 0 -> /* pops */
          fence(me);
          if
          :: deque[me] & START -> task = START
          :: deque[me] & BLOCKS -> task = BLOCKS
          :: deque[me] & FREES -> task = FREES
          :: deque[me] & OTHER -> task = OTHER
          fi;
          deque[me] = deque[me] & (ALL - task) };
        if
        :: deque[me] != 0 && BUG != POP -> look()
        :: else
        fi;
        poll()
     :: (deque[me] | unseen[me]) != 0 -> /* the budget is used up */
        if
        :: BUG != FENCE -> fence(me)
        :: else
        fi;
        if
        :: BUG != MORE -> look()
        :: else
        fi;
        if
        :: me == 0 -> stand_still()
        :: else
        fi;
        poked[me] = true;
        goto turned
     od;
     idle[me] = true;
     /* The look. The thief watches a lone task, and may leave it if its
      * owner pops it meanwhile. */
     alone = deque[1 - me];
     if
     :: BUG == AGAIN
     :: BUG != AGAIN && (inbox | alone) == 0
     :: BUG != AGAIN && inbox == 0 && SINGLE(alone) ->
        if
        :: (deque[1 - me] & alone) == 0 || BUG == LEFT
        :: poked[me] = true
        fi
     :: BUG != AGAIN && (inbox != 0 || (alone != 0 && !SINGLE(alone))) ->
        poked[me] = true
     fi;
     alone = 0;
turned:
     skip
#ifdef LEAVE
  :: me == 1 -> break
#endif
  od;
  idle[1] = false;
  if
  :: BUG != HAND ->
     atomic { fence(1); task = deque[1]; deque[1] = 0 };
     atomic { inbox = inbox | task; task = 0 }
  :: else -> atomic { deque[1] = 0; unseen[1] = 0 }
  fi;
  if
  :: (inbox | deque[0]) != 0 && BUG != POKE -> look()
  :: else
  fi
}

init {
  atomic {
    run worker(0);
    run worker(1);
    run pusher(START);
    run pusher(OTHER)
  };
  polled == ALL
}
