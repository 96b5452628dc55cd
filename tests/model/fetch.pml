/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The way of submissions to workers: capi/core/call/ring.c, capi/ring.go and
 * executor/offload/pool.go.
 *
 * Two submitters, the dispatcher's goroutine, and a pool of two workers. The
 * pool's lock is an atomic step; the takers' lock is a word. Job 1 is submitted
 * after job 0, which blocks its worker until job 1 has run. So the model hangs
 * if job 1 is left to that worker, or to none. With -DOTHER job 1 belongs to
 * another pool, and both workers of this one are blocked: it must not wait for
 * them. With -DLEAVE there is one seat for the two workers, and job 0 leaves it
 * while it waits: executor/offload/away.go.
 *
 * Property: all jobs run (there is no invalid end state), and none begins while more
 * workers sit than may.
 *
 * BUG names a mistake that the property has to find.
 */
#define FENCE 1    /* a submitter looks for attending workers before it pushes */
#define FIRST 2    /* a worker that rests fetches before it stops attending */
#define AGAIN 3    /* the goroutine sleeps without a second look */
#define IDLE 4     /* a worker attends for one that rests */
#define URGENT 5   /* an urgent job is left to a worker as well */
#define UNLOCKED 6 /* the goroutine goes to sleep without the lock */
#define CALL 7     /* a worker that takes a job calls none for the next */
#define STAYS 8    /* one that leaves goes on attending */
#define BLIND 9    /* one that leaves fetches nothing */
#define SILENT 10  /* one that leaves calls no worker */
#define EARLY 11   /* one that leaves fetches before it stops attending */
#define OVER 12    /* a worker takes a job though too many sit */
#ifndef BUG
#define BUG 0
#endif

#define N 3
#ifdef LEAVE
#define LEAVES(job) ((job) == 0)
#define SEATS 1
#else
#define LEAVES(job) false
#define SEATS 2
#endif

#ifdef OTHER
#define OTHERS(job) ((job) == 1)
#define WAITS(job) ((job) != 1)
#else
#define OTHERS(job) false
#define WAITS(job) ((job) == 0)
#endif

byte entry[N];  /* the ring never wraps here; a job + 1 */
bool taken[N];
byte head = 0, tail = 0;
bool locked = false;
bool asleep = false;
bool attended = false;

chan queue = [N] of { byte };
bool idle[2], woken[2];
bool searching = false;
byte seated = 2; /* workers that are not idle and not away */

bool ran[N];

/* The caller has the pool's lock. The wake follows at once. */
inline call() {
  if
  :: searching || empty(queue) || seated >= SEATS
  :: !searching && nempty(queue) && seated < SEATS ->
    if
    :: idle[0] -> idle[0] = false; woken[0] = true; searching = true; seated++
    :: idle[1] -> idle[1] = false; woken[1] = true; searching = true; seated++
    :: else
    fi
  fi
}

/* The caller has the takers' lock. It hands out jobs one by one. */
inline take() {
  atomic { n = 0; h = head };
  do
  :: atomic { h < N && entry[h] > 0 && !taken[h] ->
      taken[h] = true;
      n = 1;
      if
      :: OTHERS(entry[h] - 1) -> ran[1] = true
      :: else -> queue!(entry[h] - 1); call()
      fi;
      h++
    }
  :: atomic { !(h < N && entry[h] > 0 && !taken[h]) -> head = h; h = 0; break }
  od
}

proctype submitter(byte job, second) {
  byte at;
  bool left;
again:
  atomic {
    if
    :: BUG == FENCE -> left = attended
    :: else
    fi;
    at = tail;
    tail++
  };
  atomic { entry[at] = job + 1; at = 0 };
  atomic {
    if
    :: BUG != FENCE -> left = attended
    :: else
    fi;
    left = left && (!OTHERS(job) || BUG == URGENT)
  };
  atomic {
    if
    :: !left && asleep -> asleep = false
    :: else
    fi;
    left = false;
    if
    :: second < N -> job = second; second = N; goto again
    :: else -> job = N
    fi
  }
}

proctype goroutine() {
  byte n, h;
again:
  atomic { !locked -> locked = true };
  take();
  if
  :: atomic { n > 0 -> locked = false; n = 0; goto again }
  :: atomic { n == 0 -> h = head; locked = (BUG != UNLOCKED) }
  fi;
  asleep = true;
  if
  :: atomic { BUG != AGAIN && h < N && entry[h] > 0 && !taken[h] ->
      asleep = false; locked = false; h = 0; goto again }
  :: atomic { !(BUG != AGAIN && h < N && entry[h] > 0 && !taken[h]) ->
      h = 0; locked = (BUG == UNLOCKED && locked) }
  fi;
end:
  atomic { !asleep; goto again }
}

inline fetch() {
  h = head;
  if
  :: atomic { h == tail -> h = 0 }
  :: atomic { h != tail && !locked -> locked = true };
    take();
    atomic { locked = false; n = 0 }
  :: atomic { h != tail && locked -> h = 0 };
    atomic {
      if
      :: asleep -> asleep = false
      :: else
      fi
    }
  fi
}

proctype worker(byte me) {
  byte n, h, job;
  bool mine = false; /* it is the called worker */
again:
  if
  :: BUG == FIRST -> fetch()
  :: BUG != FIRST
  fi;
  atomic {
    if
    :: mine -> searching = false
    :: else
    fi;
    mine = false;
    if
    :: nempty(queue) && (seated <= SEATS || BUG == OVER) ->
      assert(seated <= SEATS);
      queue?job;
      if
      :: BUG != CALL -> call()
      :: else
      fi;
      if
      :: seated >= SEATS || BUG == IDLE -> attended = true
      :: else
      fi
    :: empty(queue) || (seated > SEATS && BUG != OVER) ->
      attended = false; idle[me] = true; seated--; job = N
    fi
  };
  if
  :: job < N && LEAVES(job) ->
    if
    :: BUG == EARLY -> fetch()
    :: BUG != EARLY
    fi;
    atomic {
      seated--;
      attended = (attended && BUG == STAYS);
      if
      :: BUG != SILENT -> call()
      :: else
      fi
    };
    if
    :: BUG != EARLY && BUG != BLIND -> fetch()
    :: BUG == EARLY || BUG == BLIND
    fi;
    atomic { ran[1] -> seated++ }
  :: job == N || !LEAVES(job)
  fi;
  if
  :: atomic { job < N && (!WAITS(job) || ran[1]) -> ran[job] = true; job = 0; goto again }
  :: job == N
  fi;
  if
  :: BUG != FIRST -> fetch()
  :: BUG == FIRST
  fi;
end:
  atomic { woken[me] -> woken[me] = false; mine = true; job = 0; goto again }
}

init {
  atomic {
    run submitter(0, 1);
    run submitter(2, N);
    run goroutine();
    run worker(0);
    run worker(1)
  };
  ran[0] && ran[1] && ran[2]
}
