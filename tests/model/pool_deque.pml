/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A worker's deque with its owner and a thief: capi/core/queue/deque.c, and its
 * twin in executor/.
 *
 * The owner pushes ITEMS tasks and pops the rest. Its first buffer has two
 * places; it grows once, to a buffer of four, and the old one stays readable. A
 * thief copies up to half, then swaps the head.
 *
 * Properties: each task is taken exactly once, and what is taken was pushed.
 *
 * BUG names a mistake that the properties have to find.
 */
#define THIEF 1  /* a thief stores the head it computed, and doesn't compare */
#define OWNER 2  /* the owner stores the head */
#define COPY 3   /* a thief copies after the swap */
#define FULL 4   /* the owner pushes into a full buffer */
#define BUFFER 5 /* a thief reads the buffer before the tail */
#define MOVE 6   /* the owner publishes the new buffer, and then copies */
#ifndef BUG
#define BUG 0
#endif

#define ITEMS 4

byte small[2], large[4];
byte head = 0, tail = 0;
bool grown = false;
byte taken[ITEMS + 1]; /* by task: how often */
byte popped = 0, over = 0;

inline get(index, to, from_large) {
  if
  :: from_large -> to = large[(index) % 4]
  :: else -> to = small[(index) % 2]
  fi
}

inline put(index, value) {
  if
  :: grown -> large[(index) % 4] = value
  :: else -> small[(index) % 2] = value
  fi
}

inline take(value) {
  atomic {
    assert(value > 0 && taken[value] == 0);
    taken[value]++;
    popped++
  }
}

inline pop() {
  h = head;
  do
  :: h == tail -> break
  :: h != tail ->
     get(h, item, grown);
     atomic {
       if
       :: head == h || BUG == OWNER -> head = h + 1; ok = true
       :: else -> h = head; ok = false
       fi
     };
     if
     :: ok -> take(item); break
     :: else
     fi
  od
}

proctype owner() {
  byte h, item, i, next = 1;
  bool ok;
  do
  :: next <= ITEMS ->
     h = head;
     if
     :: !grown && tail - h == 2 && BUG != FULL ->
        if
        :: BUG == MOVE -> grown = true
        :: else
        fi;
        i = h;
        do
        :: i < tail -> large[i % 4] = small[i % 2]; i++
        :: else -> break
        od;
        grown = true
     :: else
     fi;
     if
     :: grown && tail - h == 4 -> pop()
     :: else ->
        put(tail, next);
        tail = tail + 1;
        next++
     fi
  :: tail > 0 && next <= ITEMS -> pop()
  :: next > ITEMS -> break
  od;
  do
  :: head != tail -> pop()
  :: else -> break
  od;
  over++
}

proctype thief() {
  byte h, t, n, items[2];
  bool large_one, ok;
  do
  :: h = head;
     if
     :: BUG == BUFFER -> large_one = grown
     :: else
     fi;
     t = tail;
     if
     :: BUG != BUFFER -> large_one = grown
     :: else
     fi;
     n = (t > h -> (t - h + 1) / 2 : 0);
     if
     :: n > 0 ->
        if
        :: BUG != COPY ->
           get(h, items[0], large_one);
           if
           :: n > 1 -> get(h + 1, items[1], large_one)
           :: else
           fi
        :: else
        fi;
        atomic {
          if
          :: head == h || BUG == THIEF -> head = h + n; ok = true
          :: else -> ok = false
          fi
        };
        if
        :: ok && BUG == COPY ->
           get(h, items[0], large_one);
           if
           :: n > 1 -> get(h + 1, items[1], large_one)
           :: else
           fi
        :: else
        fi;
        if
        :: ok ->
           take(items[0]);
           if
           :: n > 1 -> take(items[1])
           :: else
           fi
        :: else
        fi
     :: else
     fi
  :: over == 1 -> break
  od;
  over++
}

init {
  atomic {
    run owner();
    run thief()
  };
  over == 2;
  assert(popped == ITEMS)
}
