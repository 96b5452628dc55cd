/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Cells that belong to one worker of a pool in Go: executor/pool_pin.go, with
 * executor/pool_ready.go and the parking of a Local.
 *
 * Both cells have the same home, a worker that may leave at any time or stay.
 * Two wakers push one cell each. As long as the home exists only that worker
 * may poll the cells; afterwards the other may, too.
 *
 * Properties: a cell with a home is polled there; when all processes rest, each
 * cell was polled.
 *
 * BUG names a mistake that the properties have to find.
 */
#define BLIND 1   /* a waker doesn't look whether the home has gone meanwhile */
#define FIRST 2   /* a leaver empties the home before it says that it is gone */
#define EAGER 3   /* a worker looks at its home before it says that it is idle */
#define SILENT 4  /* a leaver pokes no worker for the cells that it leaves */
#define LISTED 5  /* a leaver is still in the idle set when it looks for work */
#define MUTE 6    /* a waker doesn't poke the home's worker */
#ifndef BUG
#define BUG 0
#endif

#define IDLE 0
#define POKED 1
#define RUNNING 2
#define A 0
#define B 1

byte state[2];    /* IDLE, as both have parked */
bool idle[2];     /* the idle set */
bool member[2];
bool gone = false;
byte home = 0, inbox = 0; /* sets of cells */
byte polls = 0;           /* the set of polled cells */

inline poke_one(w, hit) {
  atomic {
    hit = (state[w] == IDLE && member[w]);
    if
    :: hit -> state[w] = POKED
    :: else
    fi
  }
}

/* Pool.poke: the first of the idle set whose host takes a wake. */
inline poke() {
  i = 0;
  do
  :: i < 2 ->
     atomic { hit = idle[i]; idle[i] = false };
     if
     :: hit -> poke_one(i, hit); if :: hit -> break :: else fi
     :: else
     fi;
     i++
  :: else -> break
  od;
  i = 0; hit = false
}

inline move_out() {
  atomic { taken = home; home = 0 };
  inbox = inbox | taken;
  taken = 0
}

/* The holder of a cell pushes it to its home, or to all. */
inline push(cell) {
  if
  :: !gone ->
     home = home | cell;
     if
     :: gone && BUG != BLIND -> move_out(); poke()
     :: else ->
        if
        :: BUG != MUTE -> poke_one(A, hit); hit = false
        :: else
        fi
     fi
  :: else ->
     inbox = inbox | cell;
     poke()
  fi
}

proctype waker(byte cell) {
  byte i, taken;
  bool hit;
  push(cell)
}

proctype worker(byte me) {
  byte i, taken, cells;
  bool hit, leaves = false, stays = false;
  if
  :: true
  :: stays = true
  fi;
  do
  :: state[me] == POKED || state[me] == RUNNING -> /* a turn */
     state[me] = RUNNING;
     idle[me] = false;
     if
     :: me == A ->
        atomic { cells = home; home = 0; polls = polls | cells }; cells = 0
     :: else
     fi;
     d_step {
       cells = inbox; inbox = 0;
       assert(cells == 0 || me == A || gone);
       polls = polls | cells; cells = 0
     };
     /* park */
     if
     :: BUG == EAGER ->
        hit = (inbox != 0 || (me == A && home != 0));
        state[me] = IDLE; idle[me] = true
     :: else ->
        state[me] = IDLE; idle[me] = true;
        hit = (inbox != 0 || (me == A && home != 0))
     fi;
     if
     :: hit -> atomic { if :: state[me] == IDLE -> state[me] = RUNNING :: else fi }
     :: else
     fi;
     hit = false
  :: me == A && !stays -> /* outside of a turn */
     leaves = true;
     break
  :: timeout -> break
  od;
  if
  :: leaves ->
     if
     :: BUG != LISTED -> idle[me] = false
     :: else
     fi;
     if
     :: BUG == FIRST -> move_out(); gone = true
     :: else -> gone = true; move_out()
     fi;
     if
     :: BUG == LISTED -> hit = (inbox != 0); idle[me] = false
     :: else
     fi;
     member[me] = false;
     if
     :: BUG != LISTED -> hit = (inbox != 0)
     :: else
     fi;
     if
     :: hit && BUG != SILENT -> poke()
     :: else
     fi
  :: else
  fi
}

init {
  atomic {
    member[A] = true; member[B] = true;
    idle[A] = true; idle[B] = true;
    run worker(A); run worker(B); run waker(1); run waker(2)
  };
  _nr_pr == 1;
  assert(polls == 3)
}
