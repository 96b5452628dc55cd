// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/place"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

// switcher is a future with a shortcut, as package coro makes them, that notes what
// is called.
type switcher struct {
	shortcut place.Shortcut
	left     int // turns until the body has ended
	waker    Waker
	onResume func()
	trace    []string
}

func (s *switcher) note(what string) { s.trace = append(s.trace, what) }

func (s *switcher) close() {
	if s.shortcut != nil {
		s.shortcut.Close()
	}
}

func (s *switcher) take() string {
	trace := strings.Join(s.trace, " ")
	s.trace = nil
	return trace
}

func (s *switcher) Poll(cx *Context) (int, bool, error) {
	s.note("poll")
	if s.waker == 0 {
		s.waker = cx.Waker()
		s.shortcut = place.Of(cx.Local()).Shortcut(s.shortcut, s, s.resume)
	} else if s.left > 0 {
		s.left--
	}
	if s.left > 0 {
		return 0, false, nil
	}
	s.close()
	return 7, true, nil
}

func (s *switcher) resume() (suspended, ok bool) {
	s.note("resume")
	s.left--
	if s.onResume != nil {
		s.onResume()
	}
	return s.left > 0, true
}

func (s *switcher) Unwind(*Context) (bool, error) {
	s.note("unwind")
	s.close()
	return true, nil
}

func (s *switcher) Drop() {
	s.note("drop")
	s.close()
}

func TestShortcutIsTakenUntilTheBodyEnds(t *testing.T) {
	r := newRig(t)
	s := &switcher{left: 3}
	task := mustSpawn[int](t, r.Local, s)
	for _, want := range []string{"poll", "resume", "resume", "resume poll drop"} {
		test.Equal(t, "done", task.Done(), false)
		r.turn(1)
		test.Equal(t, "calls", s.take(), want)
		s.waker.Wake()
	}
	v, err := task.Result()
	test.Equal(t, "value", v, 7)
	test.Equal(t, "error", err, nil)
	test.Equal(t, "outcome", task.Outcome(), Returned)
	r.turn(0)
}

func TestShortcutCountsForTheBudget(t *testing.T) {
	r := newRig(t)
	all := make([]switcher, 5)
	for i := range all {
		all[i].left = 3
		mustSpawn[int](t, r.Local, &all[i])
	}
	r.turn(5)
	for i := range all {
		all[i].waker.Wake()
	}
	p, _ := r.Poll(Budget{MaxPolls: 3})
	test.Equal(t, "polled", p.Polled, 3)
	test.Equal(t, "more", p.More, true)
	r.turn(2)
}

// Each of these is awaited by the task, but isn't its own future.
func TestShortcutIsForTheTasksOwnFuture(t *testing.T) {
	for name, wrap := range map[string]func(f Future[int]) Future[int]{
		"in another future": func(f Future[int]) Future[int] { return fn[int](f.Poll) },
		"embedded in one":   func(f Future[int]) Future[int] { return &struct{ Future[int] }{f} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := &switcher{left: 2}
			task := mustSpawn(t, r.Local, wrap(s))
			r.turn(1)
			for range 2 {
				s.waker.Wake()
				r.turn(1)
			}
			test.Equal(t, "done", task.Done(), true)
			test.Equal(t, "calls", strings.TrimSuffix(s.take(), " drop"), "poll poll poll")
		})
	}
}

func TestHooksAreRoundEveryTurnOfACoroutine(t *testing.T) {
	r, h := newTraced(t)
	s := &switcher{left: 2}
	mustSpawn[int](t, r.Local, s)
	r.turn(1)
	h.take()
	s.waker.Wake()
	r.turn(1)
	test.Equal(t, "hooks", h.take(), "+1 -1")
	test.Equal(t, "calls", s.take(), "poll poll")
}

func TestPoolTasksHaveNoShortcut(t *testing.T) {
	p := NewPool(PoolConfig{})
	r := newRig(t)
	test.Equal(t, "join", p.Join(r.Local), nil)
	s := &switcher{left: 2}
	mustSpawn[int](t, p, s)
	r.turn(1)
	s.waker.Wake()
	r.turn(1)
	test.Equal(t, "calls", s.take(), "poll poll")
	s.waker.Wake()
	r.turn(1)
	r.Free()
	test.Equal(t, "free", p.Free(), nil)
}

func TestCancelComesByNoShortcut(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(r *rig, h Handle)
		want string
	}{
		"cancelled": {func(r *rig, h Handle) { h.Cancel(); r.turn(0) }, "unwind drop"},
		"evicted":   {func(r *rig, h Handle) { r.Evict(h) }, "drop"},
		"freed":     {func(r *rig, h Handle) { r.Free() }, "drop"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := &switcher{left: 9}
			task := mustSpawn[int](t, r.Local, s)
			r.turn(1)
			s.waker.Wake()
			r.turn(1)
			s.take()
			s.waker.Wake()
			c.end(r, task.Handle())
			test.Equal(t, "calls", s.take(), c.want)
			test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
		})
	}
}

// A body that makes its own task ready, and asks for its end, and then ends: the task
// has returned, and nothing of it is left in the ready ring.
func TestBodyThatEndsAfterItHasAskedForMore(t *testing.T) {
	r := newRig(t)
	s := &switcher{left: 2}
	task := mustSpawn[int](t, r.Local, s)
	r.turn(1)
	s.onResume = func() {
		r.WakeLocal(s.waker)
		r.CancelLocal(task.Handle())
	}
	s.left = 1
	r.WakeLocal(s.waker)
	r.turn(1)
	test.Equal(t, "calls", s.take(), "poll resume poll drop")
	test.Equal(t, "outcome", task.Outcome(), Returned)
	again := &probe{}
	test.Equal(t, "spawn", task.Spawn(r.Local, again), nil) // into the same storage
	r.turn(1)
	again.Want(t, 1, 0)
	r.turn(0)
}

func TestStorageIsFreeAfterAShortcut(t *testing.T) {
	for name, end := range map[string]func(r *rig, s *switcher, h Handle){
		"returned":  func(r *rig, s *switcher, _ Handle) { s.left = 1; s.waker.Wake(); r.turn(1) },
		"cancelled": func(r *rig, _ *switcher, h Handle) { h.Cancel(); r.turn(0) },
		"evicted":   func(r *rig, _ *switcher, h Handle) { r.Evict(h) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			s := &switcher{left: 9}
			task := mustSpawn[int](t, r.Local, s)
			r.turn(1)
			end(r, s, task.Handle())
			test.Equal(t, "done", task.Done(), true)
			s.take()
			next := &probe{}
			test.Equal(t, "spawn", task.Spawn(r.Local, next), nil)
			for range 2 {
				r.turn(1)
				next.Waker.Wake()
			}
			next.Want(t, 2, 0)
			test.Equal(t, "calls", s.take(), "")
			r.Evict(task.Handle())
			other := &switcher{left: 9}
			test.Equal(t, "spawn", task.Spawn(r.Local, other), nil)
			r.turn(1)
			s.close() // it has long been
			other.waker.Wake()
			r.turn(1)
			test.Equal(t, "calls", other.take(), "poll resume")
		})
	}
}

// A future that two tasks poll is a mistake. One of them ends it, and the other finds
// that out in its next turn.
func TestShortcutThatAnotherTaskHasClosed(t *testing.T) {
	r := newRig(t)
	s := &switcher{left: 2}
	first := mustSpawn[int](t, r.Local, s)
	r.turn(1)
	second := mustSpawn(t, r.Local, fn[int](s.Poll))
	r.turn(1)
	r.WakeLocal(makeWaker(second.slot, second.gen))
	r.turn(1)
	test.Equal(t, "second", second.Done(), true)
	s.take()
	s.waker.Wake()
	r.turn(1)
	test.Equal(t, "calls", s.take(), "poll drop")
	test.Equal(t, "first", first.Done(), true)
}

func TestPanicInAShortcutIsContained(t *testing.T) {
	r := newRig(t)
	s := &switcher{left: 9, onResume: func() { panic("at the disco") }}
	task := mustSpawn[int](t, r.Local, s)
	r.turn(1)
	s.waker.Wake()
	r.turn(1)
	test.Equal(t, "calls", s.take(), "poll resume drop")
	_, err := task.Result()
	p, _ := err.(*PanicError)
	test.Equal(t, "error", p != nil && p.Value == "at the disco", true)
}
