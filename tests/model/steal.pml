/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The ring of a pool's worker in Go: executor/internal/steal/ring.go.
 *
 * The owner pushes at the tail and pops at the head, in any order. Two thieves
 * take up to half from the head: each says in `from` where it is going to read,
 * moves the head, and only then reads. The ring has two places and grows to
 * four once; the old places stay as they are.
 *
 * Properties: no thief reads a place that the owner has written over, so that
 * each item comes out exactly once.
 *
 * BUG names a mistake that the properties have to find.
 */
#define UNSAID 1  /* a thief moves the head before it says from where it reads */
#define EARLY 2   /* a thief takes that back before it has read */
#define LATE 3    /* a thief looks for the buffer after it has moved the head */
#define NOFROM 4  /* the owner doesn't look at `from` when it wants room */
#define BEFORE 5  /* the owner looks at `from` before it looks at the head */
#define UNSEEN 6  /* the tail is shown before the item is there */
#define STORED 7  /* the owner pops by a store */
#define EXACT 8   /* the owner finds room up to a limit that has gone back */
#ifndef BUG
#define BUG 0
#endif

#define ITEMS 4
#define SIZE(b) (2 << (b))

byte head = 0, tail = 0, from = 0; /* from: place + 1 */
byte buf = 0;                      /* the present one */
byte places[6];                    /* buffer 0 has 0..1, buffer 1 has 2..5 */
byte next = 0, limit = 2;          /* the owner's */
byte out[ITEMS + 1];
byte left = ITEMS;

#define PLACE(b, i) ((b) * 2 + (i) % SIZE(b))

inline come(item) {
  d_step {
    assert(item > 0 && out[item] == 0);
    out[item] = 1;
    left--
  }
}

inline room() {
  if
  :: BUG == BEFORE -> f = from; h = head
  :: else -> h = head; f = from
  fi;
  d_step {
    low = h;
    if
    :: BUG != NOFROM && f != 0 && f - 1 < low -> low = f - 1
    :: else
    fi;
    limit = low + SIZE(buf)
  };
  if
  :: next >= limit && buf == 0 && !(BUG == EXACT && next != limit) ->
     d_step {
       i = h;
       do
       :: i < next -> places[PLACE(1, i)] = places[PLACE(0, i)]; i++
       :: else -> break
       od;
       limit = h + SIZE(1)
     };
     buf = 1
  :: else
  fi
}

proctype owner() {
  byte h, f, low, i, item, pushed = 0;
  do
  :: pushed < ITEMS ->
     if
     :: next >= limit -> room()
     :: else
     fi;
     if
     :: next < limit || (BUG == EXACT && next != limit) ->
        pushed++;
        if
        :: BUG == UNSEEN -> tail = next + 1
        :: else
        fi;
        places[PLACE(buf, next)] = pushed;
        next++;
        if
        :: true -> tail = next
        :: true /* shown later */
        fi
     :: else
     fi
  :: true ->
     h = head;
     if
     :: h < next ->
        if
        :: BUG == STORED -> head = h + 1; come(places[PLACE(buf, h)])
        :: else ->
           atomic { item = 0; if :: head == h -> head = h + 1; item = 1 :: else fi };
           if
           :: item == 1 -> come(places[PLACE(buf, h)])
           :: else
           fi
        fi
     :: else
     fi
  :: pushed == ITEMS && left == 0 -> break
  od
}

proctype thief() {
  byte h, t, n, b, i;
  bool mine;
  do
  :: left > 0 ->
     h = head; t = tail;
     if
     :: t > h ->
        if
        :: BUG == UNSAID -> mine = true
        :: else -> atomic { mine = (from == 0); if :: mine -> from = h + 1 :: else fi }
        fi;
        if
        :: mine ->
           b = buf;
           n = (t - h + 1) / 2;
           atomic { if :: head == h -> head = h + n :: else -> n = 0 fi };
           if
           :: BUG == UNSAID && n > 0 -> from = h + 1
           :: BUG == EARLY -> from = 0
           :: BUG == LATE -> b = buf
           :: else
           fi;
           i = h;
           do
           :: i < h + n -> come(places[PLACE(b, i)]); i++
           :: else -> break
           od;
           from = 0;
           n = 0; b = 0; i = 0; mine = false
        :: else
        fi
     :: else
     fi;
     h = 0; t = 0
  :: left == 0 -> break
  od
}

init {
  atomic { run owner(); run thief(); run thief() }
}
