/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Time in a pool: capi/core/pool/timer.c and the polls of pool/task.c, and
 * their twins in executor/.
 *
 * Two workers read the clock when a turn begins, and time goes on while they
 * turn. A task sleeps twice, with a timer that any worker fires. Meanwhile
 * another task wakes it for nothing, and sets a timer of its own that is late
 * already. The task's queue and its QUEUED are as in pool_task.pml, but without
 * generations. A fire takes several steps under the lock, since polls don't
 * take the lock.
 *
 * Properties: a task that its timer has woken sees no time before the timer's;
 * so both sleeps end (there is no invalid end state).
 *
 * BUG names a mistake that the properties have to find.
 */
#define TURN 1   /* a poll sees the time of its turn */
#define BEGIN 2  /* a turn looks for the other's fires when it begins */
#define POP 3    /* a turn looks for them before it pops the task */
#define LATER 4  /* the wakes come first, then the time */
#define LOWER 5  /* a fire stores the time over a later one */
#ifndef BUG
#define BUG 0
#endif

#define END 3 /* of time; the sleeps are due at 2 and 3 */
#define SLEEPS 2

byte clock = 1;
byte fired = 0;

byte deadline = 0;   /* of the task's timer; 0: it isn't asleep */
bool armed = false;
bool other = false;  /* the other task's timer is armed, for 1 */
bool told = false;   /* the task was woken by its timer since it was armed */

bool queued = true, wake = false;
byte pushed = 1;     /* how often it is in a queue */
byte slept = 0;

#define DUE(t) ((armed && deadline <= t) || (other && 1 <= t))

inline mark() {
  atomic {
    if
    :: queued -> wake = true
    :: else -> queued = true; assert(pushed == 0); pushed++
    fi
  }
}

inline note_time(t) {
  if
  :: fired < t || BUG == LOWER -> fired = t
  :: else
  fi
}

/* The caller has the lock. The other worker fires and arms under it, too. */
inline fire(t) {
  atomic {
    !lock;
    if
    :: DUE(t) ->
       lock = true;
       if
       :: BUG != LATER -> note_time(t)
       :: else
       fi;
       due = armed && deadline <= t;
       if
       :: due -> armed = false
       :: else
       fi;
       other = other && t < 1
    :: else -> goto quiet
    fi
  };
  if
  :: due -> atomic { mark(); told = true }
  :: else
  fi;
  atomic {
    if
    :: BUG == LATER -> note_time(t)
    :: else
    fi;
    lock = false; due = false
  };
quiet:
  skip
}

bool lock = false;

proctype worker() {
  byte now, at;
  bool due, woken;
end_sleep:
  do
  :: atomic { (pushed > 0 || DUE(clock)) -> now = clock };
     fire(now);
     atomic {
       if
       :: BUG == BEGIN && fired > now -> now = fired
       :: else
       fi
     };
     do
     :: pushed > 0 ->
        at = now;
        if
        :: BUG == POP && fired > at -> at = fired
        :: else
        fi;
        atomic { /* pops, and takes what is pending */
          if
          :: pushed > 0 -> pushed--; wake = false; woken = told
          :: else -> goto stolen
          fi
        };
        if
        :: BUG != TURN && BUG != BEGIN && BUG != POP && fired > at -> at = fired
        :: else
        fi;
        assert(!woken || at >= deadline);
        if /* pillion_sleep */
        :: deadline == 0 && slept < SLEEPS ->
           atomic {
             !lock -> deadline = slept + 2; armed = true; told = false
           }
        :: deadline > 0 && at < deadline -> skip
        :: deadline > 0 && at >= deadline ->
           atomic { !lock -> armed = false; deadline = 0; told = false };
           slept++;
           if
           :: slept < SLEEPS ->
              atomic { !lock -> deadline = slept + 2; armed = true; told = false }
           :: else
           fi
        :: else -> skip
        fi;
        atomic { /* rests, unless something came */
          if
          :: wake -> wake = false; pushed++
          :: else -> queued = false
          fi
        }
     :: true -> break /* nothing is there, or the budget is used up */
     od;
stolen:
     atomic { now = 0; at = 0; woken = false }
  od
}

proctype ticker() {
  do
  :: clock < END -> clock++
  :: else -> break
  od
}

proctype another() {
  mark();
  atomic { !lock -> other = true }
}

init {
  atomic {
    run worker();
    run worker();
    run ticker();
    run another()
  };
  slept == SLEEPS
}
