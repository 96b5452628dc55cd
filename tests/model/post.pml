/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Posted events: capi/core/executor/post.c, and as much of park.c as it needs.
 *
 * Two posters post to an executor, each twice at most, in a ring of two. The
 * owner turns when it is told, and frees the executor at any time, or never.
 * Then the place belongs to another executor, with the next generation.
 *
 * Properties: the executor that a poster meant takes the accepted event, or its
 * free drops it, exactly once and in the order of the positions; no poster
 * touches a freed ring, or an entry that waits; the owner doesn't sleep while
 * an entry waits.
 *
 * BUG names a mistake that the properties have to find.
 */
#define EARLY 1  /* a poster looks whether to poke before it has published */
#define ONCE 2   /* the owner doesn't look again after it went idle */
#define HASTY 3  /* free doesn't wait for posters that have claimed */
#define BLIND 4  /* a claim doesn't compare the generation */
#define FULL 5   /* a claim doesn't look whether the ring is full */
#define AHEAD 6  /* the owner takes a claimed entry, published or not */
#ifndef BUG
#define BUG 0
#endif

#define SIZE 2
#define IDLE 0
#define POKED 1
#define RUNNING 2

byte gen = 1;                      /* of the tail */
byte tail = 0, head = 0;
byte sequence[SIZE], holds[SIZE]; /* holds: the generation it is meant for */
bool gone = false;                 /* the ring's memory */
byte park = IDLE;
bool told = false;
byte accepted = 0, ended = 0, posters = 2;
bool freed = false;

inline poke() {
  atomic {
    if
    :: park == IDLE -> park = POKED; told = true
    :: else
    fi
  }
}

proctype poster() {
  byte times = 0, at, seen;
  bool mine, idle;
  do
  :: times < 2 ->
     times++;
     mine = false;
     at = tail;
     seen = head; /* may be newer than the tail it has read */
     if
     :: BUG != FULL && at >= seen + SIZE -> skip /* EAGAIN */
     :: else ->
        atomic { /* compare and swap */
          if
          :: tail == at && (gen == 1 || BUG == BLIND) ->
             tail++; mine = true; accepted++
          :: else -> skip /* the poster tries again, or gives up */
          fi
        }
     fi;
     if
     :: mine ->
        if
        :: BUG == EARLY -> idle = (park == IDLE)
        :: else
        fi;
        atomic {
          assert(!gone);
          assert(sequence[at % SIZE] <= at); /* not an entry that waits */
          assert(holds[at % SIZE] == 0);
          holds[at % SIZE] = 1
        };
        atomic { assert(!gone); sequence[at % SIZE] = at + 1 };
        if
        :: BUG != EARLY || idle -> poke()
        :: else
        fi
     :: else
     fi
  :: break
  od;
  atomic { posters-- }
}

inline take_one() {
  atomic {
    assert(holds[head % SIZE] == 1);
    holds[head % SIZE] = 0;
    ended++
  };
  head++
}

#define published (sequence[head % SIZE] == head + 1)

proctype owner() {
  byte end;
  do
  :: told ->
     told = false;
     park = RUNNING;
     do
     :: BUG == AHEAD && head < tail -> take_one()
     :: BUG != AHEAD && published -> take_one()
     :: else -> break
     od;
     park = IDLE;
     if
     :: BUG != ONCE && published -> poke()
     :: else
     fi
  :: !freed -> /* free it, and give its place to another */
     atomic { end = tail; gen = 2 };
     do
     :: head < end && (published || BUG == HASTY) -> take_one()
     :: head == end -> break
     od;
     gone = true;
     freed = true;
     break
  :: posters == 0 && !told && !freed -> /* it sleeps for good */
     assert(head == tail);
     break
  od;
  (posters == 0);
  assert(accepted == ended)
}

init {
  atomic { run poster(); run poster(); run owner() }
}
