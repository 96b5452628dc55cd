/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parking: capi/core/park.c, with the inbox, the host and the descriptor.
 *
 * Posters push into the inbox and poke. One of them closes the executor instead.
 * The owner is a host that turns when it is told to; it may free the executor at
 * any time, and make another in the same memory with a descriptor of its own. A
 * turn may end with more to do.
 *
 * With HOOK the host has a wake hook and no descriptor: it turns when the hook
 * was called, and looks at nothing else.
 *
 * Properties: what was posted is found by a turn, and so is a close; once all is
 * quiet the descriptor is unreadable; nothing is written to a closed descriptor
 * and no hook is called after its drop; the host doesn't spin while a poker
 * stands still; free ends (there is no invalid end state).
 *
 * BUG names a mistake that the properties have to find.
 */
#define RECHECK 1 /* no second look at the inbox after going idle */
#define FREE 2    /* free doesn't wait for a poker */
#define SEEN_ 3   /* a turn that met a poker leaves it no mark */
#define SPIN 4    /* a turn that met a poker always asks for another */
#define ORDER 5   /* the descriptor is emptied after going idle */
#define CLOSE 6   /* a close isn't looked for after going idle */
#define AGAIN 7   /* a hook isn't called again for more */
#define READ 8    /* a turn that met a poker leaves its mark, then reads */
#ifndef BUG
#define BUG 0
#endif
#ifdef HOOK
#define HOOKED true
#else
#define HOOKED false
#endif

#ifndef POSTERS
#define POSTERS 2
#endif
#define IDLE 0
#define POKING 1
#define POKED 2
#define RUNNING 3
#define SEEN 4
#define LIVES 2

byte park = IDLE;
byte inbox = 0;            /* posts in it */
byte closing = 0;
byte life = 0;             /* names the descriptor, or the hook */
bool open[LIVES];          /* and whether it is */
byte told[LIVES];          /* written and not read; calls not yet answered */

byte posted = 0, found = 0, finished = 0;
byte empty_turns = 0;

inline signal_host() {
  target = life;
  atomic {
    assert(open[target]);
    if
    :: HOOKED -> told[target] = 1
    :: told[target] < 9 && !HOOKED -> told[target]++
    :: else
    fi;
    empty_turns = 0
  }
}

inline poke() {
  if
  :: park != IDLE -> skip
  :: else ->
     atomic {
       if
       :: park == IDLE -> park = POKING; won = true
       :: else -> won = false
       fi
     };
     do
     :: !won -> break
     :: won ->
        signal_host();
        atomic {
          if
          :: park == POKING -> park = POKED; won = false
          :: else -> park = POKING
          fi
        }
     od
  fi
}

proctype poster() {
  bool won;
  byte target;
  atomic { inbox++; posted++ };
  poke();
  finished++
}

proctype closer() {
  bool won;
  byte target;
  closing = 1;
  poke();
  finished++
}

inline empty_descriptor() {
  if
  :: !HOOKED -> told[life] = 0
  :: else
  fi
}

inline leave(more) {
  again = false; marked = false;
  if
  :: park != RUNNING ->
     if
     :: more || BUG == SPIN ->
        if
        :: HOOKED && BUG != AGAIN -> signal_host()
        :: else
        fi;
        again = true; goto left
     :: else
     fi;
     do /* seen */
     :: park == POKING || park == SEEN ->
        if
        :: BUG != READ -> empty_descriptor()
        :: else
        fi;
        atomic {
          if
          :: park == POKING || park == SEEN ->
             if
             :: BUG != SEEN_ -> park = SEEN
             :: else
             fi;
             marked = true; break
          :: else
          fi
        }
     :: else -> break
     od;
     if
     :: marked && BUG == READ -> empty_descriptor(); goto left
     :: marked && BUG != READ -> goto left
     :: else
     fi;
     if
     :: park == POKED -> signaled = true; park = RUNNING
     :: else
     fi
  :: else
  fi;
  if
  :: more ->
     if
     :: (HOOKED && BUG != AGAIN) || (!HOOKED && !signaled) -> signal_host()
     :: else
     fi;
     signaled = true;
     park = POKED;
     again = true
  :: else ->
     if
     :: signaled && BUG != ORDER -> empty_descriptor()
     :: else
     fi;
     park = IDLE;
     if
     :: signaled && BUG == ORDER -> empty_descriptor()
     :: else
     fi;
     signaled = false;
     if
     :: (inbox == 0 || BUG == RECHECK) &&
        (closing == closed_with || BUG == CLOSE) -> skip
     :: else -> poke(); again = true
     fi
  fi;
left:
  skip
}

inline turn() {
  work = false;
  if
  :: closing != closed_with -> closed_with = closing; work = true
  :: else
  fi;
  if /* enter */
  :: park == POKED -> signaled = true; park = RUNNING
  :: park == IDLE ->
     atomic {
       if
       :: park == IDLE -> park = RUNNING
       :: else
       fi
     }
  :: else
  fi;
  atomic { /* drain */
    if
    :: inbox > 0 -> found = found + inbox; inbox = 0; work = true
    :: else
    fi
  };
  if
  :: mores > 0 -> mores--; work = true; leave(true)
  :: true -> leave(false)
  fi;
  atomic {
    if
    :: !work ->
       empty_turns++;
       assert(empty_turns < 4) /* nobody told the host, and it goes on */
    :: else -> empty_turns = 0
    fi
  }
}

proctype host() {
  bool won, signaled = false, again, marked = false, work;
  byte target, closed_with = 0, mores = 1;
  do
  :: told[life] > 0 || (again && !HOOKED) ->
     if
     :: HOOKED -> told[life] = 0
     :: else
     fi;
     turn()
  :: life + 1 < LIVES -> /* free, and new */
     if
     :: BUG != FREE ->
        do
        :: park == IDLE || park == POKED || park == RUNNING ->
           atomic {
             if
             :: park == IDLE || park == POKED || park == RUNNING ->
                park = RUNNING; break
             :: else
             fi
           }
        od
     :: else -> park = RUNNING
     fi;
     open[life] = false;
     told[life] = 0;
     closing = 0; closed_with = 0; signaled = false; again = false;
     atomic { found = found + inbox; inbox = 0 };
     life++;
     open[life] = true;
     park = IDLE
  :: finished == POSTERS + 1 && !(told[life] > 0 || (again && !HOOKED)) ->
     break
  od;
  /* Quiet. What came between two lives waits for the next poke. */
  assert(told[life] == 0);
  assert(life > 0 || inbox == 0);
  assert(life > 0 || found == posted);
  assert(closing == closed_with || life > 0)
}

init {
  byte i;
  atomic {
    open[0] = true;
    run host();
    i = 0;
    do
    :: i < POSTERS -> run poster(); i++
    :: else -> break
    od;
    run closer()
  }
}
