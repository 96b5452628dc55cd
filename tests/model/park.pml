/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parking: capi/core/executor/park.c, with the inbox, the host and the
 * descriptor.
 *
 * Posters push into the inbox and poke. One of them closes the executor
 * instead. The owner is a host that turns when it is told. It may free the
 * executor at any time, and make another in the same memory with a descriptor
 * of its own. A turn may end with more to do. The owner's thread may also stand
 * still for good.
 *
 * The host has a descriptor and looks at nothing else, but for one turn that it
 * makes unasked. With HOOK it has a wake hook in the descriptor's place. With
 * ENDERS the executor gathers, as in gather.c: that many threads push ends, and
 * each either pokes or arms the timer. The timer may fire, or its time may not
 * come while anything else happens.
 *
 * Properties: a turn finds each post, and a close; once all is quiet the
 * descriptor is unreadable; no thread writes to a closed descriptor, and none
 * calls a hook after its drop; while an end waits the timer runs, and only ends
 * wait for the timer; the host doesn't spin while a poker stands still; the
 * host is told when a turn has ended with more; a poker tells the host once at
 * most, and ends wherever the owner stands; free ends (there is no invalid end
 * state).
 *
 * BUG names a mistake that the properties have to find.
 */
#define RECHECK 1 /* no second look at the inbox after going idle */
#define FREE 2    /* free doesn't wait for pokers */
#define FORGET 3  /* a turn that met a poker doesn't expect its write */
#define SPIN 4    /* a turn that met a poker always asks for another turn */
#define ORDER 5   /* the descriptor is emptied after going idle */
#define CLOSE 6   /* no look for a close after going idle */
#define AGAIN 7   /* a hook isn't called again for more */
#define READ 8    /* the owner empties the descriptor, then looks for pokers */
#define TRUST 9   /* the owner takes a poker's write for done */
#define UNTIL 10  /* a poker that a turn has met tells the host again */
#define WAIT 11   /* a poker waits for a turn to begin */
#define FIRED 12  /* a turn leaves the timer armed */
#define UNSEEN 13 /* a thread that arms the timer is not counted as a poker */
#define ALONE 14  /* no look for ends after going idle */
#define STAYS 15  /* the owner goes idle, and the word still says that the timer is armed */
#define LATE 16   /* the timer is disarmed after going idle */
#define HELD 17   /* no poke while the timer is armed */
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
#ifndef ENDERS
#define ENDERS 0
#endif
#define LIVES 2
#define NO 0
#define YES 1
#define PERHAPS 2

bool poked = false, running = false; /* the word: two bits, */
bool armed = false;                  /* one more, */
byte pokers = 0;                     /* and a count */
byte inbox = 0;            /* posts in it */
byte ended = 0;            /* ends that wait */
byte closing = 0;
byte life = 0;             /* names the descriptor, or the hook */
bool open[LIVES];          /* and whether it is */
bool told[LIVES];          /* written and not read, or called and not answered */
bool ticks[LIVES];         /* the timer runs, */
bool ticked[LIVES];        /* or has told */

byte posted = 0, found = 0, finished = 0;
byte empty_turns = 0;

inline signal_host() {
  target = life;
  atomic {
    assert(open[target]);
    told[target] = true;
    empty_turns = 0
  }
}

inline poke() {
  atomic {
    if
    :: !poked && !running && !(BUG == HELD && armed) ->
       poked = true; pokers++; won = true
    :: else -> won = false
    fi
  };
  if
  :: won ->
     signal_host();
     tells++;
     if
     :: BUG == WAIT -> running || !poked
     :: BUG == UNTIL ->
        do
        :: poked -> break
        :: !poked -> signal_host(); tells++; assert(tells == 1)
        od
     :: else
     fi;
     pokers--
  :: else
  fi
}

inline arm() {
  atomic {
    if
    :: !poked && !running && !armed ->
       armed = true; won = true;
       if
       :: BUG != UNSEEN -> pokers++
       :: else
       fi
    :: else -> won = false
    fi
  };
  if
  :: won ->
     if
     :: HOOKED -> signal_host()
     :: else ->
        target = life;
        atomic { assert(open[target]); ticks[target] = true; empty_turns = 0 }
     fi;
     if
     :: BUG != UNSEEN -> pokers--
     :: else
     fi
  :: else
  fi
}

inline announce() {
  if
  :: true -> poke()
  :: true -> arm()
  fi
}

proctype ender() {
  bool won;
  byte target, tells = 0;
  atomic { ended++; posted++ };
  announce();
  finished++
}

#if ENDERS > 0 && !defined(HOOK)
active proctype clock() {
  do
  :: atomic { ticks[0] -> ticks[0] = false; ticked[0] = true }
  :: atomic { ticks[1] -> ticks[1] = false; ticked[1] = true }
  :: finished == POSTERS + ENDERS + 1 -> break
  od
}
#endif

proctype poster() {
  bool won;
  byte target, tells = 0;
  atomic { inbox++; posted++ };
  poke();
  finished++
}

proctype closer() {
  bool won;
  byte target, tells = 0;
  closing = 1;
  poke();
  finished++
}

/* The owner's thread may be preempted here, and never run again. */
inline stand() {
  if
  :: true -> skip
  :: true -> goto stands
  fi
}

inline disarm() { atomic { ticks[life] = false; ticked[life] = false } }

inline empty_descriptor() {
  if
  :: !HOOKED -> told[life] = false
  :: else
  fi
}

inline enter() {
  if
  :: !running ->
     atomic {
       running = true;
       if
       :: poked && (pokers == 0 || BUG == TRUST) -> signaled = YES
       :: poked && pokers > 0 && BUG != TRUST -> signaled = PERHAPS
       :: else
       fi;
       if
       :: armed -> is_armed = true
       :: else
       fi
     }
  :: else
  fi
}

inline leave(more) {
  if
  :: more || (BUG == SPIN && pokers > 0) ->
     if
     :: (HOOKED && BUG != AGAIN) || (!HOOKED && signaled != YES) -> signal_host()
     :: else
     fi;
     signaled = YES
  :: else ->
     if
     :: BUG == READ && (signaled != NO || pokers > 0) -> empty_descriptor()
     :: else
     fi;
     met = pokers > 0 && !HOOKED;
     if
     :: BUG != ORDER && BUG != READ && (signaled != NO || met) ->
        empty_descriptor()
     :: else
     fi;
     if
     :: (met || is_armed) && !HOOKED && BUG != FIRED && BUG != LATE -> disarm()
     :: else
     fi;
     stand();
     atomic {
       poked = false; running = false;
       if
       :: BUG != STAYS -> armed = false
       :: else
       fi
     };
     if
     :: BUG == LATE && (met || is_armed) -> disarm()
     :: else
     fi;
     is_armed = met;
     if
     :: BUG == ORDER && (signaled != NO || met) -> empty_descriptor()
     :: else
     fi;
     if
     :: met && BUG != FORGET -> signaled = PERHAPS
     :: else -> signaled = NO
     fi;
     if
     :: (inbox == 0 || BUG == RECHECK) &&
        (closing == closed_with || BUG == CLOSE) ->
        if
        :: ended > 0 && BUG != ALONE -> announce(); tells = 0
        :: else
        fi
     :: else -> poke(); tells = 0
     fi
  fi
}

inline turn() {
  if
  :: !poked && !running && pokers == 0 && inbox == 0 && signaled == NO &&
     !armed && ended == 0 && !is_armed && closing == closed_with && !left -> skip /* a turn without work */
  :: else ->
     if
     :: closing != closed_with -> closed_with = closing; work = true
     :: else
     fi;
     enter();
     atomic { /* drain */
       if
       :: inbox + ended > 0 ->
          found = found + inbox + ended; inbox = 0; ended = 0; work = true
       :: else
       fi
     };
     if
     :: left -> left = false; work = true; leave(false)
     :: !left && mores > 0 ->
        mores--; left = true; work = true;
        leave(true);
        assert(told[life] || BUG == AGAIN)
     :: !left -> leave(false)
     fi
  fi;
  atomic {
    if
    :: !work ->
       empty_turns++;
       assert(empty_turns < 4) /* it goes on, though the host was not told */
    :: else -> empty_turns = 0
    fi;
    work = false; met = false; won = false; target = 0
  }
}

proctype host() {
  bool won = false, met = false, work = false, left = false, is_armed = false;
  byte target, closed_with = 0, mores = (ENDERS > 0 -> 0 : 1), whims = 1, signaled = NO, tells = 0;
  do
  :: told[life] || ticked[life] ->
     if
     :: HOOKED -> told[life] = false
     :: else
     fi;
     turn()
  :: whims > 0 -> whims--; turn() /* the host comes unasked */
  :: life + 1 < LIVES -> /* frees it, and makes a new one */
     if
     :: BUG != FREE ->
        atomic { pokers == 0 -> poked = false; running = true }
     :: else -> running = true
     fi;
     open[life] = false;
     told[life] = false;
     disarm();
     closing = 0; closed_with = 0; signaled = NO; left = false;
     is_armed = false;
     atomic { found = found + inbox + ended; inbox = 0; ended = 0 };
     life++;
     open[life] = true;
     atomic { poked = false; running = false; armed = false }
  :: atomic {
       finished == POSTERS + ENDERS + 1 && !told[life] && !ticked[life] ->
       /* All is quiet. A post between two lives waits for the next poke. */
       assert(!left);
       assert(life > 0 || inbox == 0);
       assert(life > 0 || ended == 0 || ticks[life]);
       assert(life > 0 || found + ended == posted);
       assert(closing == closed_with || life > 0);
       break
     }
  od;
  goto over;
stands:
  finished == POSTERS + ENDERS + 1;
over:
  skip
}

init {
  byte i;
  atomic {
    open[0] = true;
    run host();
    i = 0;
    do
    :: i < POSTERS -> run poster(); i++
    :: i >= POSTERS && i < POSTERS + ENDERS -> run ender(); i++
    :: else -> break
    od;
    run closer()
  }
}
