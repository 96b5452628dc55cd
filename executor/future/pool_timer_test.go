// SPDX-License-Identifier: Apache-2.0

package future

import (
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

const early, late = 10, 20

// sleeper is ready when another future is, whatever that gives, and notes what it sees.
type sleeper struct {
	poll  func(cx *Context) bool
	polls int
	seen  int64 // the time of the last poll
	waker Waker
}

func (s *sleeper) Poll(cx *Context) (none struct{}, ready bool, err error) {
	s.polls++
	s.seen, s.waker = cx.Now(), cx.Waker()
	return none, s.poll(cx), nil
}

func awaits[T any](f Future[T]) func(cx *Context) bool {
	return func(cx *Context) bool {
		_, ready, _ := f.Poll(cx)
		return ready
	}
}

// believer arms a timer once, and takes it that it is woken at its time.
func believer(cx *Context) bool {
	if cx.Now() < late {
		SleepUntil(late).Poll(cx)
	}
	return cx.Now() >= late
}

// sleepers has a sleeper of each kind wait for late, on worker 1. Worker 0 has a task
// that keeps it from what it fires, with a budget of one poll.
func (c *poolRig) sleepers() (all []*sleeper, fire func()) {
	busy := &probe{OnPoll: (*Context).WakeSelf}
	mustSpawn[int](c.t, c.Pool, busy)
	fire = func() {
		c.workers[0].now = late
		if p, err := c.workers[0].Poll(Budget{MaxPolls: 1}); err != nil || p.Polled != 1 {
			c.t.Fatal(p, err)
		}
		busy.Ready = true
	}
	c.workers[0].now, c.workers[1].now = early, early
	c.turn(0, 1)
	for _, poll := range []func(cx *Context) bool{
		awaits[struct{}](Sleep(late - early)),
		awaits[struct{}](SleepUntil(late)),
		awaits(Timeout(late-early, Func[int](func(*Context) (int, bool, error) { return 0, false, nil }))),
		awaits(Deadline(late, Func[int](func(*Context) (int, bool, error) { return 0, false, nil }))),
		awaits(NewInterval(late-early, MissedSkip).Tick()),
		believer,
	} {
		s := &sleeper{poll: poll}
		all = append(all, s)
		mustSpawn[struct{}](c.t, c.Pool, s)
	}
	p, err := c.workers[1].Poll(Budget{MaxPolls: len(all)})
	if err != nil || p.Polled != len(all) || p.Deadline != late {
		c.t.Fatal(p, err)
	}
	return all, fire
}

func (c *poolRig) wantSlept(all []*sleeper) {
	c.t.Helper()
	for i, s := range all {
		if s.polls != 2 || s.seen != late {
			c.t.Errorf("sleeper %d was polled %d times, last at %d", i, s.polls, s.seen)
		}
	}
	if _, err := c.workers[0].Poll(Budget{}); err != nil { // the end of the busy one
		c.t.Fatal(err)
	}
	test.Equal(c.t, "live", c.Live(), 0)
}

// What is fired elsewhere while it waits for its poll already, woken for something else.
func TestPoolQueuedInATurnThatBeganBeforeTheFiring(t *testing.T) {
	c := newPoolRig(t, 2)
	all, fire := c.sleepers()
	mustSpawn[int](t, c.Pool, &probe{Ready: true, OnPoll: func(*Context) { fire() }})
	for _, s := range all {
		s.waker.Wake()
	}
	c.turn(1, 1+len(all))
	c.wantSlept(all)
}

// What is fired elsewhere and stolen, after this turn has read the clock.
func TestPoolStolenInATurnThatBeganBeforeTheFiring(t *testing.T) {
	c := newPoolRig(t, 2)
	all, fire := c.sleepers()
	r := c.workers[1]
	clock := r.clock
	r.clock = func() int64 {
		r.clock = clock
		fire()
		return early
	}
	for range len(all) {
		if _, err := r.Poll(Budget{}); err != nil {
			t.Fatal(err)
		}
		r.now = early
	}
	c.wantSlept(all)
}

// What is fired elsewhere in the midst of its own poll.
func TestPoolPolledInATurnThatBeganBeforeTheFiring(t *testing.T) {
	c := newPoolRig(t, 2)
	all, fire := c.sleepers()
	for _, s := range all {
		s.waker.Wake()
	}
	first := all[0]
	inner := first.poll
	first.poll = func(cx *Context) bool {
		first.poll = inner
		fire()
		return inner(cx)
	}
	c.turn(1, len(all))
	if first.polls == 2 { // for what came during its poll, in the next turn
		c.turn(1, 1)
	}
	first.polls--
	c.wantSlept(all)
}
