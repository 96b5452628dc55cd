/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Calls of the host's functions by Go: capi/core/inbound/.
 *
 * A body in Go, itself called by the host, calls a function of the host's, may
 * cancel it, and takes the answer. Then it returns, and its own call ends. The
 * host learns of the call in a turn. A handler answers in another thread, and
 * once more. With -DFREE the host frees its executor at any time.
 *
 * With -DWINDOW a provider, or a lender, lets one call wait for its answer. Two bodies call
 * it, and the handler of the first calls Go, which calls the provider again.
 *
 * Properties: a call that the host was told of has one answer, and a second one
 * is refused; a call that was cancelled before is never told; one CANCEL event at
 * most comes, before the answer; the end of the body's call comes after all
 * answers; the node is freed once, and not touched afterwards; the executor
 * counts no call in the end; every process comes to an end.
 *
 * BUG names a mistake that the properties have to find.
 */
#define TWICE 1    /* an answer doesn't claim the call */
#define LATE 2     /* a cancel of a call that was told ends it */
#define OPEN_END 3 /* a body that returns doesn't wait for the answer */
#define BLIND 4    /* a caller leaves its word and doesn't look again */
#define EARLY 5    /* the caller is woken before the answer is there */
#define LOOSE 6    /* the caller's release frees the node at once */
#define FREED 7    /* a free forgets calls that the host knows */
#define HASTY 8    /* a free forgets calls that were not told */
#define ROOM 9     /* an answer is refused while the news are crowded */
#define STRICT 10  /* a handler's call of its own provider waits, too */
#define LEAVING 11 /* a call that ends looks at the queue, then makes room */
#define UNSEEN 12  /* a caller that has queued doesn't look for room again */
#define UNHEARD 13 /* a cancelled call in the queue stays there */
#ifndef BUG
#define BUG 0
#endif

#define NOTHING 0
#define QUEUED 1
#define OFFERED 2
#define BUSY 3
#define TOLD 4
#define ANSWERED 5

#ifndef WINDOW
/* ---- One call ------------------------------------------------------------ */

byte phase = NOTHING;
bool cancel = false, started = false;
bool held = false, listed = false, ending = false, gone = false;
bool failed = false;           /* it has no answer of the host's */
bool pend = false, inbox = false;
bool waits = false, news = false, alert = false; /* the caller's */
bool crowded = true; /* of others' submissions, for a while */
byte live = 0;                 /* counted by the executor */
bool stale = false, freed = false;
bool body_done = false, told_end = false;
byte over = 0; /* the owner and the handler have ended */
byte tells = 0, stops = 0, answers = 0, takes = 0;

inline touch() { assert(!gone) }

/* Gives HELD, LISTED or ENDING back; the last frees the node. */
inline let_go(hold) {
  atomic {
    touch();
    hold = false;
    if
    :: (!held && !listed && !ending) || (BUG == LOOSE && !held) -> gone = true
    :: else
    fi
  }
}

inline ask() {
  if
  :: atomic { !pend -> pend = true }; inbox = true
  :: else
  fi
}

/* By the process that made it ANSWERED. */
inline wake_caller() {
  atomic { touch(); woken = waits; waits = false };
  if
  :: woken ->
     if
     :: BUG == ROOM && crowded -> skip
     :: else -> news = true
     fi
  :: else
  fi
}

inline ended() {
  if
  :: BUG != EARLY -> wake_caller()
  :: else
  fi;
  let_go(ending);
  atomic { assert(live > 0); live-- }
}

/* Ends it without an answer, in some phases. BUSY passes in a moment. */
inline end_in(phases, did) {
  atomic {
    phase != BUSY;
    did = phases;
    if
    :: did -> touch(); phase = ANSWERED; ending = true; failed = true
    :: else
    fi
  };
  if
  :: did && BUG == EARLY -> wake_caller()
  :: else
  fi;
  if
  :: did -> ended()
  :: else
  fi
}

inline stop() {
  end_in(phase == OFFERED || (BUG == LATE && phase == TOLD), did);
  if
  :: !did ->
     if
     :: atomic { phase == TOLD -> touch(); cancel = true }; ask()
     :: phase == ANSWERED
     fi
  :: else
  fi
}

active proctype body() {
  bool did, woken, cancels;
  /* The offer: it counts, then looks whether the executor is there. */
  if
  :: atomic { !stale -> live++; held = true; phase = OFFERED };
     ask();
     if
     :: cancels = true
     :: cancels = false
     fi;
     do
     :: atomic { phase == ANSWERED ->
          touch();
          takes++;
          assert(failed || answers == 1);
          assert(!failed || !started || stale);
          break
        }
     :: atomic { else -> touch() };
        if
        :: cancels -> cancels = false; stop()
        :: !cancels && BUG == OPEN_END -> goto returned
        :: else ->
           atomic { touch(); waits = true };
           if
           :: phase == ANSWERED && BUG != BLIND
           :: else ->
              atomic { alert -> alert = false }
           fi
        fi
     od;
     let_go(held)
  :: stale
  fi;
returned:
  body_done = true
}

active proctype dispatcher() {
end:
  do
  :: news -> news = false; alert = true
  :: crowded -> crowded = false
  od
}

inline visit() {
  if
  :: atomic { phase == OFFERED -> touch(); phase = BUSY; started = true };
     atomic { tells++; assert(tells == 1) };
     phase = TOLD
  :: atomic { phase == TOLD && cancel && stops == 0 -> touch(); phase = BUSY };
     atomic { stops++; assert(answers == 0 && tells == 1) };
     phase = TOLD
  :: else
  fi;
  let_go(listed)
}

inline drain() {
  if
  :: inbox ->
     inbox = false;
     atomic { /* the exchange; then the state's compare-and-swap */
       pend = false;
       if
       :: !stale && !gone && !listed && phase != ANSWERED -> listed = true
       :: else
       fi
     }
  :: else
  fi
}

inline free_executor() {
  stale = true;
  drain();
  if
  :: listed -> let_go(listed)
  :: else
  fi;
  if
  :: BUG != FREED && BUG != HASTY ->
     end_in(phase == OFFERED || phase == TOLD, did)
  :: BUG == FREED -> end_in(phase == OFFERED, did)
  :: else -> end_in(phase == TOLD, did)
  fi;
  live == 0; /* an answer is between two instructions */
  freed = true
}

active proctype owner() {
  bool did, woken;
  do
  :: inbox -> drain()
  :: listed -> visit()
  :: !listed && body_done && !told_end -> /* the end of the body's call */
     atomic {
       told_end = true;
       assert(answers == tells || failed || phase == NOTHING)
     }
  :: told_end && !inbox && !listed && live == 0 -> break
#ifdef FREE
  :: !freed && !told_end -> free_executor(); break
#endif
  od;
  over++
}

/* Any thread of the host's, and not while that frees the executor, with the handle from the event. */
active proctype handler() {
  bool did, woken;
  byte times = 0, before;
  do
  :: tells == 1 && times < 2 && (!stale || freed) ->
     times++;
     before = answers;
     if
     :: BUG == TWICE -> did = phase == TOLD
     :: atomic { BUG != TWICE && phase != BUSY ->
          did = phase == TOLD;
          if
          :: did -> touch(); phase = BUSY
          :: else
          fi
        }
     fi;
     if
     :: did ->
        if
        :: BUG == EARLY -> wake_caller()
        :: else
        fi;
        atomic {
          touch();
          assert(phase == BUSY || BUG == TWICE);
          answers++;
          assert(answers == 1);
          phase = ANSWERED;
          ending = true
        };
        ended();
        assert(before == 0) /* the second is refused */
     :: else
     fi
  :: times == 2 -> break
  :: told_end && tells == 0 -> break
  :: freed && tells == 0 -> break
  od;
  over++
}

init {
  over == 2 && body_done && !news;
  assert(live == 0 && (phase == NOTHING || (gone && takes == 1)));
  assert(!(failed && started && answers == 1))
}

#else
/* ---- A window of one ----------------------------------------------------- */

#define CALLS 3 /* 0 and 1: two bodies; 2: what the handler of 0 leads to */
byte phase[CALLS];
bool answered[CALLS];
byte open = 0, queued = 0;
bool lock = false;

inline enter(did) {
  atomic {
    did = open < 1;
    if
    :: did -> open++
    :: else
    fi
  }
}

/* Takes the first of the queue, which has two places at most. */
inline admit() {
  do
  :: queued > 0 ->
     enter(did);
     if
     :: did ->
        atomic {
          if
          :: phase[0] == QUEUED -> phase[0] = OFFERED; queued--
          :: phase[1] == QUEUED -> phase[1] = OFFERED; queued--
          :: phase[2] == QUEUED -> phase[2] = OFFERED; queued--
          :: else -> open--; did = false; assert(queued == 0)
          fi
        };
        if
        :: did -> break /* it has taken one place */
        :: else
        fi
     :: else -> break
     fi
  :: else -> break
  od
}

inline leave() {
  if
  :: BUG == LEAVING -> admit(); open--
  :: else -> open--; admit()
  fi
}

proctype caller(byte me) {
  bool did, may_cancel = (me == 1);
  enter(did);
  if
  :: !did && me == 2 && BUG != STRICT -> atomic { open++; did = true }
  :: else
  fi;
  if
  :: did -> phase[me] = OFFERED
  :: else ->
     atomic { phase[me] = QUEUED; queued++ };
     if
     :: BUG != UNSEEN -> admit()
     :: else
     fi
  fi;
  if
  :: atomic { may_cancel && phase[me] == QUEUED ->
       phase[me] = ANSWERED;
       if
       :: BUG != UNHEARD -> queued--
       :: else
       fi
     }
  :: atomic { may_cancel && phase[me] == OFFERED -> phase[me] = BUSY };
     leave();
     phase[me] = ANSWERED
  :: answered[me]
  fi;
  assert(phase[me] == ANSWERED)
}

/* The host: it is told, and answers. The handler of 0 calls Go before. */
proctype handler(byte me) {
  bool did, told = false;
  if
  :: atomic { phase[me] == OFFERED -> phase[me] = TOLD; told = true }
  :: phase[me] == ANSWERED
  fi;
  if
  :: told && me == 0 -> run caller(2); run handler(2); answered[2]
  :: else
  fi;
  if
  :: told ->
     atomic { assert(phase[me] == TOLD); phase[me] = BUSY };
     leave();
     phase[me] = ANSWERED;
     answered[me] = true
  :: else
  fi
}

init {
  atomic { run caller(0); run handler(0); run caller(1); run handler(1) };
  _nr_pr == 1;
  assert(open == 0 && queued == 0)
}
#endif
