/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An object's slot: capi/core/object/object.c, and the sleep of
 * pillion__ring_sleep in capi/core/call/ring.c.
 *
 * The slot lives twice. Each object has a call that names it, two threads that
 * drop it, and Go, which ends what is dropped and not in use. A shutdown is a
 * third thread that drops.
 *
 * Every statement below is one atomic instruction. A read-modify-write loop is
 * one step: the compare-and-swap that succeeds computed from what it found.
 *
 * Properties: a call that has pinned an object has its value until the unpin;
 * one drop of an object counts; Go ends each value once, and none is left.
 *
 * BUG names a mistake that the properties have to find.
 */
#define LOOK 1       /* a drop reads the uses after its compare-and-swap */
#define LAST 2       /* the last unpin leaves a dropped object alone */
#define STALE 3      /* a pin does not look at DROPPED */
#define GENERATION 4 /* nor does it compare the generation */
#define TWICE 5      /* a drop does not look at DROPPED */
#define SLEEP 6      /* Go does not look again before it sleeps */
#define TELL 7       /* Go is told before the slot is in the list */
#define AGAIN 8      /* a dead slot keeps its generation */
#ifndef BUG
#define BUG 0
#endif

byte gen = 1;          /* the state, one word: odd is alive */
bool dropped = false;
byte uses = 0;
byte key = 1;          /* whose value it stands for */
bool dead = false;     /* in the list */
bool asleep = false, poked = false;
bool handed = false;   /* there is a second object */
byte ended[4];         /* of the object with this generation */
byte drops[4];

inline tell() {
  atomic {
    if
    :: asleep -> asleep = false; poked = true
    :: else
    fi
  }
}

inline bury() {
  atomic {
    assert(gen % 2 == 1 && uses == 0);
    if
    :: BUG == AGAIN -> dropped = false
    :: else -> gen++
    fi
  };
  if
  :: BUG == TELL -> tell()
  :: else
  fi;
  atomic { assert(!dead); dead = true };
  if
  :: BUG != TELL -> tell()
  :: else
  fi
}

proctype call(byte mine) {
  bool pinned, last;
end_unborn:
  mine == 1 || handed;
  atomic {
    pinned = gen % 2 == 1 && (gen == mine || BUG == GENERATION) &&
             (!dropped || BUG == STALE);
    if
    :: pinned -> uses++
    :: else
    fi
  };
  if
  :: pinned ->
     assert(key == mine && ended[mine] == 0);
     assert(key == mine && ended[mine] == 0); /* still */
     atomic { uses--; last = dropped && uses == 0 };
     if
     :: last && BUG != LAST -> bury()
     :: else
     fi
  :: else
  fi
}

proctype drop(byte mine) {
  bool first, idle;
end_unborn:
  mine == 1 || handed;
  atomic {
    first = gen == mine && (!dropped || BUG == TWICE);
    if
    :: first -> dropped = true; idle = uses == 0; drops[mine]++
    :: else
    fi
  };
  if
  :: first ->
     assert(drops[mine] == 1);
     if
     :: BUG == LOOK -> idle = uses == 0
     :: else
     fi;
     if
     :: idle -> bury()
     :: else
     fi
  :: else
  fi
}

active proctype go() {
  do
  :: dead ->
     dead = false;
     atomic { ended[key]++; assert(ended[key] == 1) };
     if
     :: !handed ->
        key = 3;
        atomic {
          dropped = false;
          if
          :: BUG == AGAIN
          :: else -> gen++
          fi;
          handed = true
        }
     :: else
     fi
  :: else ->
     asleep = true;
     if
     :: dead && BUG != SLEEP -> asleep = false; poked = false
     :: else ->
end_asleep:
        poked;
        poked = false
     fi
  od
}

active proctype watch() {
  timeout;
  assert(ended[1] == 1 && ended[3] == 1 && drops[1] == 1 && drops[3] == 1)
}

init {
  atomic {
    run call(1); run call(1); run call(3);
    run drop(1); run drop(1); run drop(3); run drop(3)
  }
}
