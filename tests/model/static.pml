/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The executor of microcontrollers: include/pillion/static.h, with its list of
 * ready slots, the masks and the sleep.
 *
 * The owner turns for ever: it takes the list, polls what is in it, and sleeps
 * if there is nothing. A poll of the first task wakes the second. Interrupts are
 * pending at any time, and run at any step of the owner's at which they are not
 * masked, as a whole. Each sets what its task waits for, and wakes that task.
 *
 * One core: all steps are seen in their order. A compiler keeps it by the
 * fences, and no order of memory between processors is assumed.
 *
 * Properties: a task is in the list once at most; when the owner sleeps and no
 * interrupt is left, every task has seen what it waited for.
 *
 * BUG names a mistake that the properties have to find.
 */
#define UNMASKED 1 /* the owner's wake does not mask */
#define DOZE 2     /* the owner sleeps without a mask */
#define TRUST 3    /* no second look at the list before the sleep */
#define LATE 4     /* `next` is read when the slot may be queued again */
#define EMPTY 5    /* an empty list is taken, too */
#define ORDER 6    /* `last` is set before `first` is emptied */
#define AFTER 7    /* a slot may be queued again only after its poll */
#ifndef BUG
#define BUG 0
#endif

#define INTERRUPTS 4
#define TASKS 2 /* slots 1 and 2; 0 is none */

byte first = 0;
byte last = 0; /* 0 is `first`, else a slot's `next` */
byte next[TASKS + 1];
bool queued[TASKS + 1];

bool masked = false, pending = false;
byte left = INTERRUPTS;
bool came[TASKS + 1], seen[TASKS + 1];

inline push_link(slot) {
  if
  :: last == 0 -> first = slot
  :: else -> next[last] = slot
  fi
}

/* As a whole, since it interrupts; as in pillion_wake. */
inline wake_masked(slot) {
  if
  :: !queued[slot] ->
     queued[slot] = true;
     next[slot] = 0;
     push_link(slot);
     last = slot
  :: else
  fi
}

proctype hardware() {
  do
  :: atomic { left > 0 && !pending -> pending = true; left-- }
  :: left == 0 -> break
  od
}

proctype interrupt() {
end:
  do
  :: atomic {
       pending && !masked ->
       pending = false;
       if
       :: came[1] = true; seen[1] = false; wake_masked(1)
       :: came[2] = true; seen[2] = false; wake_masked(2)
       fi
     }
  od
}

/* The owner's wake, step by step. */
inline wake_own(slot) {
  if
  :: BUG != UNMASKED -> masked = true
  :: else
  fi;
  if
  :: !queued[slot] ->
     queued[slot] = true;
     next[slot] = 0;
     push_link(slot);
     last = slot
  :: else
  fi;
  masked = false
}

inline poll(slot) {
  if
  :: came[slot] -> seen[slot] = true
  :: else
  fi;
  if
  :: slot == 1 && again > 0 -> again--; wake_own(2)
  :: else
  fi
}

active proctype owner() {
  byte slot, behind, again = 2;
  run hardware();
  run interrupt();
  wake_own(1);
  do
  :: slot = first;
     if
     :: slot != 0 || BUG == EMPTY ->
        if
        :: BUG == ORDER -> last = 0; first = 0
        :: else -> first = 0; last = 0
        fi;
        do
        :: slot == 0 -> break
        :: else ->
           assert(queued[slot]);
           if
           :: BUG == LATE -> queued[slot] = false; behind = next[slot]
           :: BUG == AFTER -> behind = next[slot]
           :: else -> behind = next[slot]; queued[slot] = false
           fi;
           poll(slot);
           if
           :: BUG == AFTER -> queued[slot] = false
           :: else
           fi;
           slot = behind
        od
     :: else
     fi;
     if
     :: slot == 0 && first == 0 ->
        if
        :: BUG != DOZE -> masked = true
        :: else
        fi;
        if
        :: first == 0 || BUG == TRUST ->
           if
           :: pending
           :: timeout ->
              assert(!came[1] || seen[1]);
              assert(!came[2] || seen[2]);
              break
           fi
        :: else
        fi;
        masked = false
     :: else
     fi
  od
}
