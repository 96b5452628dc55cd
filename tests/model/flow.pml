/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A call with a flow: capi/core/queue/flow.c, and its use by the flows, items
 * and verbs of capi/core/call.
 *
 * A body in Go writes items, and the host reads them in its turns. Another
 * thread of the host's grants what was read, and more than fits. A third one
 * cancels, or a deadline passes. With -DFREE the host frees its executor at any
 * time. With -DFROM the host writes, in one thread or two, and the body reads;
 * the turns tell that there is room.
 *
 * The side that finds nothing to do leaves a word, and looks again; the other
 * side does its step, and then takes the word out and wakes. The host is woken
 * by a bell: the flow is marked, and pushed into the inbox if it was not. A
 * goroutine is woken by the news, a list with each call in it once at most.
 *
 * Counters are bytes, and wrap on the way.
 *
 * Properties: the items come in order, each once; never more than were granted.
 * There is one end, after the body has returned and with no item waiting. A
 * turn that begins after a cancel was accepted tells no item. A writer that was
 * refused for room hears once that there is room, or of the end. No process
 * touches a flow that is freed, and every process comes to an end.
 *
 * BUG names a mistake that the properties have to find.
 */
#define OVERTAKEN 1  /* the end doesn't look at the tail once more */
#define BLIND 2      /* a writer without room leaves its word after the look */
#define HASTY 3      /* a grant looks for a waiting writer before it adds */
#define LEAVING 4    /* the turn leaves its word, and doesn't look again */
#define SILENT 5     /* a cancel makes no news */
#define TWICE 6      /* a cancel is an end of its own */
#define WRAPPED 7    /* a grant compares counters that have wrapped */
#define EARLY 8      /* a free doesn't wait for an end in its publication */
#define KEPT 9       /* a cancel leaves the items that wait */
#define FORWARD 10   /* the tail grows before the item is in its place */
#define BACKWARD 11  /* the head grows before the item was copied */
#define BUSY 12      /* an empty flow that waits for its end stays listed */
#define UNTOLD 13    /* a free forgets an end that waits behind items */
#define INSIDE 14    /* a flow is freed while a verb of the host's is in it */
#define LOST 15      /* a wake asks the flow whose it is */
#define RACING 16    /* a free orphans the call before it empties the list */
#define DOUBLE 17    /* a word is erased, and not taken back */
#define SHORT 18     /* a reader looks whether it is finished after the tail */
#define DEAF 19      /* a reader that stops wakes no writer */
#define SHARED 20    /* two threads send at a time */
#define GREEDY 21    /* a grant isn't capped by what the ring holds */
#define ERASED 22    /* a sender takes back a word that was there before */
#define UNHEARD 23   /* a cancel after a deadline wakes no writer */
#ifndef BUG
#define BUG 0
#endif

#if defined CANCEL || defined FREE || defined TWO
#define ITEMS 2
#define SIZE 1
#else
#define ITEMS 4
#define SIZE 2
#endif
#define FIRST 254
#define minus(a, b) (((a) - (b)) & 255)
#define plus(a, b) (((a) + (b)) & 255)

#define NOBODY 0
#define GO 1
#define HOST 2

#define OK 1
#define AGAIN 2
#define CLOSED 3

/* ---- The flow ------------------------------------------------------------ */

byte items[SIZE];
byte read = FIRST, written = FIRST;
byte granted = (FIRST + SIZE) % 256;
byte writer = NOBODY;
#ifdef FROM
byte reader = NOBODY;
#else
byte reader = HOST;
#endif
bool finished = false, refused = false;
bool owned = true; /* `owner` names the call */
byte users = 0;    /* threads of the host's inside a verb */
bool gone = false; /* freed, and perhaps used by another call */
bool orphaned = false; /* it has no executor any more */

/* ---- The call, its news, its executor ------------------------------------ */

bool done = false, cancelled = false, expired = false, orphan = false;
bool news = false;                  /* it is in the list */
bool alert = false;                 /* wakes the goroutine */
bool pend = false, inbox = false;   /* the flow's bell */
bool rung = false;                  /* the call's, for its end */
bool listed = false, ended = false; /* the owner's flags of the flow */
bool live = true;                   /* the executor counts the call */
bool stale = false;                 /* the executor's handle */

/* ---- What is seen -------------------------------------------------------- */

bool accepted = false; /* a cancel was answered with 0 */
bool told_end = false, freed = false;
bool body_gone = false;
byte sent = 0, got_items = 0;
byte senders = 1, refusals = 0, writables = 0;

inline touch() { assert(!gone) }

/* Takes a word out, after a step on the flow. */
inline take_out(word, who) {
  atomic { touch(); who = word };
  if
  :: who != NOBODY -> atomic { touch(); who = word; word = NOBODY }
  :: else
  fi
}

/* A wait is over before it began: the word goes back, unless a wake comes. */
inline take_back(word, waits) {
  atomic {
    touch();
    waits = word == NOBODY && BUG != DOUBLE;
    word = NOBODY
  }
}

inline wake_go() {
  assert(BUG != LOST || owned); /* or it finds the call of slot 0 */
  news = true
}

inline wake_host() {
  if
  :: atomic { !pend -> pend = true };
     if
     :: orphaned -> pend = false
     :: else -> inbox = true
     fi
  :: else
  fi
}

inline wake(who) {
  if
  :: who == GO -> wake_go()
  :: who == HOST -> wake_host()
  :: else
  fi;
  who = NOBODY
}

inline put(number, rc, who) {
  atomic { touch(); rc = (finished || refused -> CLOSED : OK) };
  if
  :: rc == OK ->
     atomic {
       touch();
       rc = (written == granted -> AGAIN : OK);
       slot = written
     }
  :: else
  fi;
  if
  :: rc == OK ->
     if
     :: BUG == FORWARD -> written = plus(slot, 1)
     :: else
     fi;
     atomic { touch(); items[slot % SIZE] = number };
     atomic { touch(); written = plus(slot, 1) };
     take_out(reader, who)
  :: else
  fi
}

inline await_room(me, waits) {
  if
  :: BUG == BLIND ->
     waits = written == granted && !refused;
     if
     :: waits -> atomic { touch(); writer = me }
     :: else
     fi
  :: else ->
     atomic { touch(); other = writer != NOBODY && BUG != ERASED; writer = me };
     waits = written == granted;
     if
     :: waits && !refused
     :: else ->
        if
        :: other -> waits = false /* another sender was promised a wake */
        :: else -> take_back(writer, waits)
        fi
     fi
  fi
}

/* `copy` is the item, if there is one. */
inline take(has, copy) {
  atomic { touch(); has = read != written };
  if
  :: has ->
     if
     :: BUG == BACKWARD -> slot = read; read = plus(slot, 1)
     :: else -> slot = read
     fi;
     atomic { touch(); copy = items[slot % SIZE] };
     atomic { touch(); read = plus(slot, 1) }
  :: else
  fi
}

inline await_item(me, waits) {
  atomic { touch(); reader = me };
  if
  :: (read == written && !finished) || BUG == LEAVING -> waits = true
  :: else -> take_back(reader, waits)
  fi
}

inline grant(many, who) {
  do
  :: slot = granted;
     who = NOBODY;
     if
     :: BUG == HASTY -> who = writer
     :: else
     fi;
     atomic {
       touch();
       if
       :: BUG == WRAPPED ->
          more = (slot + many <= read + SIZE -> many
                                             : minus(read + SIZE, slot))
       :: BUG == GREEDY -> more = many
       :: else -> more = minus(read + SIZE, slot)
       fi;
       more = (more > many -> many : more)
     };
     if
     :: more == 0 -> break
     :: else
     fi;
     if
     :: atomic { granted == slot ->
          touch();
          granted = plus(slot, more);
          assert(minus(granted, read) <= SIZE)
        };
        if
        :: BUG != HASTY -> take_out(writer, who)
        :: who != NOBODY && BUG == HASTY -> take_out(writer, who)
        :: else
        fi;
        break
     :: else
     fi
  od
}

inline flow_end(mark, word, who) {
  atomic { touch(); mark = true };
  take_out(word, who)
}

inline flow_free() {
  owned = false;
  if
  :: BUG != INSIDE -> users == 0
  :: else
  fi;
  gone = true
}

/* A verb of the host's. After `in` the flow stays until `leave`. */
inline enter(in) {
  in = false;
  if
  :: !(orphan || told_end) -> /* the call is known, and its flow is found */
     users++;
     if
     :: atomic { owned -> in = true }
     :: else -> users--
     fi
  :: else
  fi
}
inline leave() { users-- }

/* A cancel wants no more items. Only one that isn't the first wakes. */
inline refuse(first) {
  users++;
  if
  :: atomic { owned -> touch(); refused = true };
     if
     :: !first && BUG != UNHEARD -> take_out(writer, who); wake(who)
     :: else
     fi
  :: !owned
  fi;
  users--
}

/* ---- Go ------------------------------------------------------------------ */

active proctype dispatcher() {
end:
  do
  :: news ->
     news = false; /* first: what comes from here on is news again */
     atomic {
       if
       :: !done -> alert = true
       :: else
       fi
     }
  od
}

/* The body has returned; its result is in the call. */
inline publish(who) {
  atomic { done = true; was_orphan = orphan };
#ifdef FROM
  flow_end(refused, writer, who);
  wake(who);
#else
  /* The end of the call tells the host. */
  flow_end(finished, reader, who);
  who = NOBODY;
#endif
  if
  :: was_orphan ->
     owned = false;
     users == 0;
     atomic { assert(!listed); gone = true }
  :: else ->
     atomic { assert(!freed); rung = true }
  fi;
  body_gone = true
}

#ifndef FROM
active proctype body() {
  byte rc, who, slot;
  bool waits, was_orphan, other;
  do
  :: sent < ITEMS ->
     put(sent, rc, who);
     if
     :: rc == OK -> sent++; wake(who)
     :: rc == CLOSED -> break
     :: else ->
        await_room(GO, waits);
        if
        :: waits ->
           atomic { alert -> alert = false };
           if
           :: expired -> break
           :: true /* what it has to send is to be delivered */
           fi
        :: else
        fi
     fi
  :: else -> break
  od;
  publish(who)
}

#else

inline refill(who) {
  if
  :: minus(granted, read) <= SIZE / 2 -> grant(SIZE, who); wake(who)
  :: else
  fi
}

active proctype body() {
  byte who, slot, more, copy;
  bool waits, was_orphan, has, over;
  do
  :: cancelled -> break
  :: true -> /* it stops reading, and works on until no one sends */
     if
     :: BUG == DEAF -> refused = true
     :: else -> flow_end(refused, writer, who); wake(who)
     fi;
     senders == 0;
     break
  :: true ->
     over = finished;
     take(has, copy);
     if
     :: BUG == SHORT -> over = finished
     :: else
     fi;
     if
     :: has ->
        atomic { assert(copy == got_items); got_items++ };
        refill(who)
     :: !has && over -> atomic { assert(got_items == sent); break }
     :: else ->
        await_item(GO, waits);
        if
        :: waits -> atomic { alert -> alert = false }
        :: else
        fi
     fi
  od;
  publish(who)
}
#endif

/* ---- The host's turns ---------------------------------------------------- */

inline list() { listed = true }

/* What the inboxes bring. A flow with a stale bell is not listed again. */
inline drain() {
  if
  :: inbox ->
     inbox = false;
     atomic {
       pend = false;
       if
       :: !gone && owned && !stale && !orphaned && !ended -> list()
       :: else
       fi
     }
  :: else
  fi;
  if
#ifdef FROM
  :: rung -> atomic { rung = false; ended = true }
#else
  :: rung -> atomic { rung = false; ended = true; list() }
#endif
  :: else
  fi
}

inline tell_end() {
  atomic {
    assert(!told_end && done);
#ifndef FROM
    assert(read == written);
#endif
    told_end = true
  };
  flow_free();
  live = false
}

#ifndef FROM
inline visit() {
  thrown = refused && BUG != KEPT;
  told = 0;
  if
  :: BUG == TWICE && thrown -> tell_end(); listed = false
  :: else
  fi;
  do
  :: (thrown || told < 1) && read != written &&
     !(BUG == OVERTAKEN && read == tail) ->
     take(has, copy);
     if
     :: thrown
     :: else ->
        atomic {
          assert(!told_end);
          assert(copy == got_items);
          assert(!quiet);
          got_items++
        };
        told++
     fi
  :: else -> break
  od;
  if
  :: BUG == OVERTAKEN && ended && read == tail -> tell_end()
  :: !(BUG == OVERTAKEN && ended) && read != written -> list()
  :: !(BUG == OVERTAKEN && ended) && read == written && ended -> tell_end()
  :: else ->
     await_item(HOST, waits);
     if
     :: waits
     :: else ->
        if
        :: read != written || BUG == BUSY -> list()
        :: else /* the bell of the end is on its way */
        fi
     fi
  fi;
  assert(!listed || read != written) /* or it is visited for ever */
}
#endif

inline turn() {
  quiet = accepted;
  tail = written;
  drain();
#ifdef FROM
  if /* the flow was listed before the call */
  :: listed -> listed = false; writables++
  :: !listed && ended -> tell_end()
  :: else
  fi
#else
  if
  :: listed -> listed = false; visit()
  :: else
  fi
#endif
}

/* The handle goes stale. Then Go's calls are orphaned, or waited for. */
inline drop_listed() {
  if
  :: listed ->
     listed = false;
     if
     :: ended && live && BUG != UNTOLD -> flow_free(); live = false
     :: else
     fi
  :: else
  fi
}

inline free_executor() {
  stale = true;
  drain();
  if
  :: BUG != RACING -> drop_listed()
  :: else
  fi;
  do
  :: live ->
     orphaned = true;
     if
     :: atomic { !done && !orphan ->
          orphan = true; cancelled = true; live = false
        };
#ifndef FROM
        refuse(true);
#endif
        news = true
     :: else
     fi;
     drain();
     drop_listed();
     if
     :: live && BUG == EARLY -> live = false; gone = true
     :: live && BUG != EARLY -> rung /* its publisher is about to ring */
     :: else
     fi
  :: else -> break
  od;
  freed = true;
  /* The next executor in this place may find a late bell. */
  do
  :: inbox -> inbox = false; atomic { pend = false; assert(gone || orphaned) }
  :: body_gone && !inbox -> break
  od
}

active proctype owner() {
  byte told, copy, tail, slot, who;
  bool has, waits, thrown, quiet;
  do
  :: told_end || freed -> break
  :: inbox || rung || listed || (ended && !told_end) -> turn()
#ifdef FREE
  :: !told_end && !freed -> free_executor()
#endif
  od
}

/* ---- The host's other threads -------------------------------------------- */

#ifdef CANCEL
#define may_cancel (!done && !orphan && !told_end)

active proctype canceller() {
  byte who;
  bool did = false, first = true;
  if
  :: atomic { may_cancel && !cancelled -> cancelled = true; did = true }
  :: atomic { may_cancel && !cancelled ->
       cancelled = true;
       expired = true;
       first = false
     };
     if
     :: BUG != SILENT -> news = true
     :: else
     fi;
     if
     :: atomic { may_cancel -> did = true }
     :: skip
     fi
  :: skip
  fi;
  if
  :: did ->
#ifndef FROM
     refuse(first);
#endif
     if
     :: first && BUG != SILENT -> news = true
     :: else
     fi;
     accepted = true
  :: else
  fi
}
#endif

#ifndef FROM
active proctype granter() {
  byte seen = 0, slot, more, who;
  bool in;
  do
  :: atomic { got_items > seen && !told_end -> seen = got_items };
     enter(in);
     if
     :: in -> grant(2, who); wake(who); leave()
     :: else -> break
     fi
  :: told_end || freed -> break
  od
}

#else

bool sending = false;

/* Sends until it is refused for good, or all is sent. */
proctype sender() {
  byte rc, who, slot, heard = 0;
  bool in, waits, busy, other;
  do
  :: enter(in);
     if
     :: in
     :: else -> break
     fi;
     atomic { busy = sending; sending = true };
     if
     :: busy && BUG != SHARED -> leave(); break /* EBUSY */
     :: else
     fi;
     if
     :: sent < ITEMS ->
        do
        :: put(sent, rc, who);
           if
           :: rc == AGAIN ->
              await_room(HOST, waits);
              if
              :: waits -> refusals++; break
              :: else
              fi
           :: rc == OK -> sent++; break
           :: else -> break
           fi
        od
     :: else -> flow_end(finished, reader, who); rc = CLOSED
     fi;
     sending = false;
     wake(who);
     leave();
     if
     :: rc == OK
     :: rc == CLOSED -> break
     :: else ->
        if
        :: atomic { writables > heard -> heard = writables }
        :: told_end -> break
        fi
     fi
  od;
  senders--
}

init {
  atomic {
    run sender();
#ifdef TWO
    senders++;
    run sender()
#endif
  };
  told_end && senders == 0;
  assert(writables <= refusals)
}
#endif
