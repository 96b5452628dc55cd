/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Items of inbound calls: capi/core/inbound, with the flows of
 * capi/core/call and capi/core/queue.
 *
 * A caller in Go sends items to a handler of the host's, says that it has
 * finished, and takes the answer. The handler accepts with credit, and grants
 * more in another thread. With -DFROM the handler sends, in a thread of its
 * own, and Go reads, or stops reading. One thread of the handler's answers, at
 * any time. With -DFREE the host frees its executor at any time.
 *
 * The flow has no bell of its own: the host is woken by the call's node, which
 * one turn visits at a time, while the node is BUSY. That the host may send
 * again is a bit of the flow, which the turn takes.
 *
 * Properties: items come in order, each once, never more than were granted;
 * FINISHED comes once, after the last; nothing is told after the answer; Go
 * gets what was sent before the answer; a sender that was refused for room
 * hears once that there is room, unless the call ends; the node and its flow
 * are freed once, and not touched afterwards; every process comes to an end.
 *
 * BUG names a mistake that the properties have to find.
 */
#define LEAVING 1    /* a turn leaves its word, and doesn't look again */
#define SHORT 2      /* a reader looks whether it is finished after the items */
#define OPEN 3       /* an answer leaves the flow open */
#define INSIDE 4     /* the flow is freed while a verb of the host's is in it */
#define UNCLAIMED 5  /* a turn tells without having the node BUSY */
#define EARLY 6      /* an answer lets the node go, then ends the flow */
#define DEAF 7       /* a turn unmarks the bell after the visit */
#define TWICE 8      /* FINISHED isn't noted */
#define UNGRANTED 9  /* accept's credit is dropped */
#define BACKWARD 10  /* the bell is rung before the bit is set */
#define SILENT 11    /* a reader that stops wakes no sender */
#define DOUBLE 12    /* a sender erases its word, and doesn't take it back */
#ifndef BUG
#define BUG 0
#endif

#define ITEMS 2
#define SIZE 1 /* what the flow holds */

#define NOBODY 0
#define GO 1
#define HOST 2

#define OK 1
#define AGAIN 2
#define CLOSED 3

/* ---- The call ------------------------------------------------------------ */

mtype = { OFFERED, BUSY, TOLD, ANSWERED };
mtype phase = OFFERED;
bool held = true, listed = false, ending = false, gone = false;
bool pend = true, inbox = true; /* its bell: START is in the inbox */
bool waits_answer = false;      /* the caller's word */
bool news = false, alert = false;
bool stale = false, freed = false;
byte live = 1;

/* ---- Its flow ------------------------------------------------------------ */

byte items[SIZE];
byte read = 0, written = 0, writer = NOBODY, reader = NOBODY, users = 0;
#ifdef FROM
byte granted = SIZE;
#else
byte granted = 0;
#endif
bool finished = false, refused = false, owned = true, writable = false;

/* ---- What is seen -------------------------------------------------------- */

byte sent = 0, got = 0, refusals = 0, writables = 0;
byte before = 0; /* sent when the answer was given */
bool told = false, told_finished = false, noted = false, taken = false;
byte threads = 2; /* of the handler's */

inline touch() { assert(!gone) }

/* The last hold frees the flow, then the node. */
inline let_go(hold) {
  atomic { touch(); hold = false; last = !held && !listed && !ending };
  if
  :: last ->
     owned = false;
     if
     :: BUG != INSIDE -> users == 0
     :: else
     fi;
     atomic { touch(); gone = true }
  :: else
  fi
}

inline take_out(word, who) {
  atomic { touch(); who = word };
  if
  :: who != NOBODY -> atomic { touch(); who = word; word = NOBODY }
  :: else
  fi
}

inline take_back(word, waits) {
  atomic {
    touch();
    waits = word == NOBODY && BUG != DOUBLE;
    word = NOBODY
  }
}

inline ring() {
  if
  :: atomic { !pend -> touch(); pend = true }; inbox = true
  :: else
  fi
}

inline wake(who) {
  if
  :: who == GO -> atomic { touch(); news = true }
  :: who == HOST ->
     if
     :: BUG == BACKWARD -> ring()
     :: else
     fi;
#ifdef FROM
     atomic { touch(); writable = true };
#endif
     if
     :: BUG != BACKWARD -> ring()
     :: else
     fi
  :: else
  fi;
  who = NOBODY
}

inline put(number, rc, who) {
  atomic { touch(); rc = (finished || refused -> CLOSED : OK) };
  if
  :: rc == OK ->
     atomic { touch(); rc = (written == granted -> AGAIN : OK) }
  :: else
  fi;
  if
  :: rc == OK ->
     atomic {
       touch();
       items[written % SIZE] = number;
       written++;
       assert(written <= granted)
     };
     take_out(reader, who)
  :: else
  fi
}

inline await_room(me, waits) {
  atomic { touch(); other = writer != NOBODY; writer = me };
  waits = written == granted;
  if
  :: waits && !refused
  :: else ->
     if
     :: other -> waits = false
     :: else -> take_back(writer, waits)
     fi
  fi
}

inline grant(who) {
  atomic {
    touch();
    granted = read + SIZE;
    assert(granted >= written)
  };
  take_out(writer, who)
}

inline await_item(me, waits) {
  atomic { touch(); reader = me };
  if
  :: (read == written && !finished) || BUG == LEAVING -> waits = true
  :: else -> take_back(reader, waits)
  fi
}

inline flow_end(mark, word, who) {
  atomic { touch(); mark = true };
  take_out(word, who);
  wake(who)
}

/* A verb of the host's. After `in` the flow stays until `leave`. */
inline enter(in) {
  in = false;
  if
  :: atomic { told && phase != ANSWERED && !gone };
     users++;
     if
     :: atomic { owned -> in = true }
     :: else -> users--
     fi
  :: else
  fi
}
inline leave() { users-- }

/* ---- Its end ------------------------------------------------------------- */

inline end_flow() {
#ifdef FROM
  flow_end(finished, reader, who)
#else
  flow_end(refused, writer, who)
#endif
}

/* By the process that made it ANSWERED. */
inline ended() {
  if
  :: BUG != OPEN && BUG != EARLY -> end_flow()
  :: else
  fi;
  atomic { touch(); woken = waits_answer; waits_answer = false };
  if
  :: woken -> news = true
  :: else
  fi;
  let_go(ending);
  if
  :: BUG == EARLY -> end_flow()
  :: else
  fi;
  live--
}

/* ---- Go ------------------------------------------------------------------ */

active proctype dispatcher() {
end:
  do
  :: atomic { news -> news = false; alert = true }
  od
}

inline sleep() { atomic { alert -> alert = false } }

active proctype caller() {
  byte rc, who, copy;
  bool waits, other, over, last;
#ifdef FROM
  do
  :: over = finished;
     atomic { touch(); rc = (read != written -> OK : AGAIN) };
     if
     :: BUG == SHORT -> over = finished
     :: else
     fi;
     if
     :: rc == OK ->
        atomic { copy = items[read % SIZE]; assert(copy == got); got++ };
        atomic { touch(); read++ };
        if
        :: granted - read <= SIZE / 2 -> grant(who); wake(who)
        :: else
        fi
     :: rc != OK && over -> assert(got >= before); break
     :: else ->
        await_item(GO, waits);
        if
        :: waits -> sleep()
        :: else
        fi
     fi
  :: true -> /* it reads no more */
     if
     :: BUG == SILENT -> refused = true
     :: else -> flow_end(refused, writer, who)
     fi;
     break
  od;
#else
  do
  :: sent < ITEMS ->
     put(sent, rc, who);
     if
     :: rc == OK -> sent++; wake(who)
     :: rc == CLOSED -> break
     :: else ->
        await_room(GO, waits);
        if
        :: waits -> sleep()
        :: else
        fi
     fi
  :: else -> flow_end(finished, reader, who); break
  od;
  if
  :: ring() /* it asks the host to stop */
  :: skip
  fi;
#endif
  do
  :: phase == ANSWERED -> break
  :: else ->
     atomic { touch(); waits_answer = true };
     if
     :: phase == ANSWERED
     :: else -> sleep()
     fi
  od;
  taken = true;
  let_go(held)
}

/* ---- The host's turns ---------------------------------------------------- */

inline drain() {
  if
  :: inbox ->
     inbox = false;
     atomic {
       if
       :: BUG != DEAF -> pend = false
       :: else
       fi;
       if
       :: !stale && !gone && !listed && phase != ANSWERED -> listed = true
       :: else
       fi
     }
  :: else
  fi
}

inline visit() {
  more = false;
  atomic { phase != BUSY; first = phase == OFFERED; did = phase != ANSWERED;
    if
    :: did -> touch(); phase = (BUG == UNCLAIMED -> TOLD : BUSY)
    :: else
    fi
  };
  if
  :: did ->
     told = true;
#ifdef FROM
     atomic { touch(); did = writable; writable = false };
     if
     :: did -> atomic { assert(phase == BUSY); writables++ }
     :: else
     fi;
#else
     if
     :: noted
     :: else ->
        over = finished;
        if
        :: read != written -> /* a quantum of one */
           atomic {
             assert(phase == BUSY && !told_finished);
             assert(items[read % SIZE] == got);
             got++
           };
           atomic { touch(); read++ }
        :: else
        fi;
        if
        :: read != written -> more = true
        :: else ->
           if
           :: BUG == SHORT -> over = finished
           :: else
           fi;
           if
           :: over ->
              noted = BUG != TWICE;
              atomic {
                assert(!told_finished && got == sent);
                told_finished = true
              }
           :: else ->
              await_item(HOST, waits);
              more = !waits && (read != written || finished)
           fi
        fi
     fi;
#endif
     if
     :: BUG != UNCLAIMED -> atomic { assert(phase == BUSY); phase = TOLD }
     :: else
     fi
  :: else
  fi;
  if
  :: BUG == DEAF -> pend = false
  :: else
  fi;
  if
  :: more
  :: else -> let_go(listed)
  fi
}

inline free_executor() {
  stale = true;
  if
  :: listed -> let_go(listed)
  :: else
  fi;
  atomic { phase != BUSY;
    did = phase != ANSWERED;
    if
    :: did -> touch(); phase = ANSWERED; ending = true; before = 0
    :: else
    fi
  };
  if
  :: did -> ended()
  :: else
  fi;
  live == 0;
  freed = true
}

active proctype owner() {
  byte who;
  bool did, waits, woken, last, over, more, first;
  do
  :: inbox -> drain()
  :: listed -> visit()
  :: !inbox && !listed && live == 0 -> break
#ifdef FREE
  :: !freed -> free_executor(); break
#endif
  od
}

/* ---- The host's threads -------------------------------------------------- */

/* Accepts, and answers at any time, or after all else. */
active proctype handler() {
  byte who;
  bool did, woken, last, in;
  told || freed || live == 0;
#ifndef FROM
  /* Accept's credit comes after BUSY is given back. */
  enter(in);
  if
  :: in ->
     if
     :: BUG != UNGRANTED -> grant(who); wake(who)
     :: else
     fi;
     leave()
  :: else
  fi;
#endif
  if
  :: true /* it answers at any time */
  :: true ->
     if
#ifdef FROM
     :: threads == 1
#else
     :: told_finished
#endif
     :: freed
     fi
  fi;
  atomic { phase != BUSY;
    did = phase == TOLD && told && !gone;
    if
    :: did -> touch(); phase = BUSY
    :: else
    fi
  };
  if
  :: did ->
     atomic {
       touch();
       assert(phase == BUSY);
       before = (refused -> 0 : sent);
       phase = ANSWERED;
       ending = true
     };
     ended()
  :: else
  fi;
  threads--
}

#ifndef FROM

active proctype granter() {
  byte seen = 0, who;
  bool in;
  do
  :: atomic { read > seen -> seen = read };
     enter(in);
     if
     :: in -> grant(who); wake(who); leave()
     :: else -> break
     fi
  :: phase == ANSWERED -> break
  od;
  threads--
}

#else

active proctype sender() {
  byte rc, who, heard = 0;
  bool in, waits, other;
  told || freed || live == 0;
  do
  :: enter(in);
     if
     :: in
     :: else -> break
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
           :: else -> break
           fi
        od
     :: else -> flow_end(finished, reader, who); rc = CLOSED
     fi;
     wake(who);
     leave();
     if
     :: rc == OK -> sent++
     :: rc == CLOSED -> break
     :: else ->
        if
        :: atomic { writables > heard -> heard = writables }
        :: phase == ANSWERED -> break
        fi
     fi
  od;
  threads--
}
#endif

init {
  taken && threads == 0 && live == 0 && !news;
  assert(writables <= refusals)
}
