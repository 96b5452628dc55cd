// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

var errFirst, errSecond = errors.New("first"), errors.New("second")

// family is a scope with children, and a task that awaits it.
type family struct {
	*rig
	*Scope
	children []*kid
	tasks    []*Task[int]
	parent   *Task[struct{}]
}

func newFamily(t *testing.T, n int, c ScopeConfig) *family {
	f := &family{rig: newRig(t)}
	f.Scope = NewScope(f.rig.Local, c)
	for range n {
		f.spawn()
	}
	f.parent = mustSpawn[struct{}](t, f.rig.Local, f.Scope)
	return f
}

func (f *family) spawn() {
	c := new(kid)
	task, err := Spawn[int](f.Scope, c)
	if err != nil {
		f.t.Fatal(err)
	}
	f.children, f.tasks = append(f.children, c), append(f.tasks, task)
}

func (f *family) settle() {
	for {
		if p, _ := f.rig.Poll(Budget{}); !p.More {
			return
		}
	}
}

func (f *family) outcomes() string {
	var s []string
	for _, task := range f.tasks {
		if task.Done() {
			s = append(s, fmt.Sprint(task.Outcome()))
		} else {
			s = append(s, "-")
		}
	}
	return strings.Join(s, "")
}

func TestScopeEndsWhenItsChildrenHave(t *testing.T) {
	f := newFamily(t, 3, ScopeConfig{})
	f.settle()
	for i, c := range f.children {
		test.Equal(t, "the parent is done", f.parent.Done(), false)
		c.End(nil)
		f.settle()
		test.Equal(t, "the child is done", f.tasks[i].Done(), true)
	}
	test.Equal(t, "the parent is done", f.parent.Done(), true)
	test.Equal(t, "error", f.parent.Err(), nil)
	_, err := Spawn[int](f.Scope, new(probe))
	test.Equal(t, "spawn after the end", err, ErrClosed)
}

func TestEmptyScopeEndsAtOnce(t *testing.T) {
	f := newFamily(t, 0, ScopeConfig{})
	f.turn(1)
	test.Equal(t, "done", f.parent.Done(), true)
}

func TestFirstErrorCancelsTheRest(t *testing.T) {
	f := newFamily(t, 4, ScopeConfig{})
	f.settle()
	f.children[0].End(nil)
	f.settle()
	f.children[2].End(errFirst)
	f.children[3].End(errSecond) // in the same turn, but later
	f.settle()
	test.Equal(t, "outcomes", f.outcomes(), "0202")
	err := f.parent.Err()
	test.Equal(t, "error", err, errFirst)
	test.Equal(t, "spawn into the end", func() error { _, err := Spawn[int](f.Scope, new(probe)); return err }(), ErrClosed)
}

func TestErrorsThatFollowAreAttached(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{})
	failing := &slow{Err: errSecond} // its clean-up fails
	mustSpawn[int](t, s, failing)
	panicking := &slow{Turns: 1}
	mustSpawn[int](t, s, panicking)
	mustSpawn[int](t, s, &kid{Probe: probe{Ready: true}, Err: errFirst})
	parent := mustSpawn[struct{}](t, r.Local, s)
	r.turn(4)
	panicking.OnPoll = func(*Context) { panic("late") }
	r.turn(0)
	panicking.Waker.Wake()
	test.Equal(t, "done", parent.Done(), false)
	r.turn(1)
	r.turn(1)
	err := parent.Err()
	test.Equal(t, "message", err.Error(), "first (and 2 more)")
	var pe *PanicError
	test.Equal(t, "all are found", errors.Is(err, errFirst) && errors.Is(err, errSecond) && errors.As(err, &pe), true)
}

func TestPanicInAChildIsAnError(t *testing.T) {
	f := newFamily(t, 2, ScopeConfig{})
	f.children[0].OnPoll = func(*Context) { panic(errFirst) }
	f.settle()
	test.Equal(t, "outcomes", f.outcomes(), "01")
	test.Equal(t, "error", errors.Is(f.parent.Err(), errFirst), true)
}

// Somebody else's cancel of a child is an error like any other.
func TestChildIsCancelledByAnother(t *testing.T) {
	f := newFamily(t, 2, ScopeConfig{})
	f.settle()
	f.tasks[1].Cancel()
	f.settle()
	test.Equal(t, "outcomes", f.outcomes(), "22")
	test.Equal(t, "error", errors.Is(f.parent.Err(), ErrCancelled), true)
}

func TestCancelOfAScopeIsNoError(t *testing.T) {
	f := newFamily(t, 2, ScopeConfig{})
	f.settle()
	f.Scope.Cancel(nil)
	f.Scope.Cancel(nil)
	f.settle()
	test.Equal(t, "outcomes", f.outcomes(), "22")
	test.Equal(t, "error", f.parent.Err(), nil)
}

// No task awaits the scope, so nothing else has a reason to poke.
func TestCancelOfAScopePokesAnIdleHost(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{})
	child := mustSpawn[int](t, s, new(probe))
	r.turn(1)
	r.pokes = 0
	s.Cancel(nil)
	test.Equal(t, "pokes", r.pokes, 1)
	s.Cancel(nil)
	test.Equal(t, "pokes of a second cancel", r.pokes, 1)
	r.turn(0)
	test.Equal(t, "outcome", child.Outcome(), CancelledRunning)
	s.Drop()
}

func TestCancelledParentWaitsForItsChildren(t *testing.T) {
	f := newFamily(t, 1, ScopeConfig{})
	shielded := &slow{Turns: 1}
	last := mustSpawn[int](t, f.Scope, shielded)
	f.settle()
	f.parent.Cancel()
	f.settle()
	test.Equal(t, "outcomes", f.outcomes(), "2")
	test.Equal(t, "the parent is done", f.parent.Done(), false)
	shielded.Waker.Wake()
	f.settle()
	test.Equal(t, "outcome", last.Outcome(), CancelledRunning)
	test.Equal(t, "outcome of the parent", f.parent.Outcome(), CancelledRunning)
	test.Equal(t, "error of the parent", f.parent.Err(), ErrCancelled)
}

func TestDroppedScopeDropsItsChildren(t *testing.T) {
	for name, drop := range map[string]func(f *family){
		"evict": func(f *family) { f.Evict(f.parent.Handle()) },
		"drop":  func(f *family) { f.Scope.Drop() },
		"free":  func(f *family) { f.rig.Free() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFamily(t, 3, ScopeConfig{Limit: 2})
			done := false
			mustSpawn[int](t, f.Scope, shieldUntil(t, &done)).Detach()
			f.settle()
			test.Equal(t, "polls", f.children[2].Polls, 0)
			drop(f)
			test.Equal(t, "outcomes", f.outcomes(), "221")
			for _, c := range f.children {
				test.Equal(t, "drops", c.Drops, 1)
			}
		})
	}
}

func TestDropIgnoresShieldsAndUnwinding(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{})
	done := false
	shielded, unwinding := shieldUntil(t, &done), &slow{Turns: 3}
	mustSpawn[int](t, s, shielded)
	mustSpawn[int](t, s, unwinding)
	r.turn(2)
	s.Cancel(nil)
	r.turn(1)
	test.Equal(t, "live", r.Live(), 2)
	s.Drop()
	test.Equal(t, "live", r.Live(), 0)
	shielded.Want(t, 2, 1)
	unwinding.Want(t, 1, 1)
}

func TestChildThatEvictsItsParent(t *testing.T) {
	f := newFamily(t, 2, ScopeConfig{})
	f.children[0].OnPoll = func(*Context) { test.Equal(t, "evict", f.Evict(f.parent.Handle()), nil) }
	f.turn(1) // the other one was dropped, and so was the parent
	test.Equal(t, "outcomes", f.outcomes(), "-1")
	f.turn(0)
	test.Equal(t, "outcomes", f.outcomes(), "21")
}

func TestLimit(t *testing.T) {
	f := newFamily(t, 5, ScopeConfig{Limit: 2})
	polled := func() string {
		s := ""
		for _, c := range f.children {
			s += fmt.Sprint(c.Polls)
		}
		return s
	}
	f.settle()
	test.Equal(t, "polls", polled(), "11000")
	f.children[1].End(nil)
	f.settle()
	test.Equal(t, "polls", polled(), "12100")
	f.tasks[3].Cancel() // while it waits: no task gets a poll for it
	f.tasks[3].Detach()
	f.settle()
	test.Equal(t, "polls", polled(), "12100")
	test.Equal(t, "outcome", f.tasks[3].Outcome(), CancelledBeforeStart)
	f.spawn()
	f.children[0].End(nil)
	f.children[2].End(nil)
	f.settle()
	test.Equal(t, "polls", polled(), "222011")
	f.children[4].End(nil)
	f.children[5].End(nil)
	f.settle()
	test.Equal(t, "error", f.parent.Err(), nil)
	test.Equal(t, "running", f.running, 0)
}

func TestErrorCancelsWhoWaitsForTheLimit(t *testing.T) {
	f := newFamily(t, 3, ScopeConfig{Limit: 1})
	f.settle()
	f.children[0].End(errFirst)
	f.settle()
	test.Equal(t, "outcomes", f.outcomes(), "011")
	test.Equal(t, "polls", f.children[1].Polls+f.children[2].Polls, 0)
}

func TestDetach(t *testing.T) {
	f := newFamily(t, 3, ScopeConfig{Limit: 1})
	f.settle()
	f.tasks[2].Detach() // starts at once
	f.tasks[0].Detach() // lets the next one in
	f.tasks[0].Detach()
	f.settle()
	test.Equal(t, "polls", f.children[1].Polls+f.children[2].Polls, 2)
	f.children[1].End(errFirst)
	f.settle()
	test.Equal(t, "outcomes", f.outcomes(), "-0-")
	test.Equal(t, "done", f.parent.Done(), true)
	mustSpawn[int](t, f.rig.Local, new(probe)).Detach() // no scope's child
}

func TestNextGivesChildrenAsTheyEnd(t *testing.T) {
	f := newFamily(t, 3, ScopeConfig{Stream: true})
	next := func() *Task[Child] {
		task := mustSpawn(t, f.rig.Local, f.Next())
		f.settle()
		return task
	}
	f.settle()
	f.children[2].End(nil)
	f.settle()
	for _, want := range []int{2, 0, 1} {
		task := next()
		if want != 2 {
			test.Equal(t, "done", task.Done(), false)
			f.children[want].End(nil)
			f.settle()
		}
		got, err := task.Result()
		test.Equal(t, "child", got, Child(f.tasks[want]))
		test.Equal(t, "error", err, nil)
	}
	got, err := next().Result()
	test.Equal(t, "child", got, nil)
	test.Equal(t, "error", err, nil)
	defer func() { test.Equal(t, "panics", recover() != nil, true) }()
	NewScope(f.rig.Local, ScopeConfig{}).Next()
}

func TestNextEndsWithTheScope(t *testing.T) {
	f := newFamily(t, 1, ScopeConfig{Stream: true})
	task := mustSpawn(t, f.rig.Local, f.Next())
	f.settle()
	f.tasks[0].Detach()
	f.settle()
	got, _ := task.Result()
	test.Equal(t, "child", got, nil)
	other := newRig(t)
	for _, err := range []error{
		awaitOn(other, f.Next()), awaitOn[struct{}](other, f.Scope),
	} {
		test.Equal(t, "error", err, ErrWrongLocal)
	}
}

func awaitOn[T any](r *rig, f Future[T]) error {
	task := mustSpawn(r.t, r.Local, f)
	r.turn(1)
	return task.Err()
}

func TestScopesNest(t *testing.T) {
	r := newRig(t)
	outer, inner := NewScope(r.Local, ScopeConfig{}), NewScope(r.Local, ScopeConfig{})
	leaf := new(kid)
	mustSpawn[int](t, inner, leaf)
	middle := mustSpawn[struct{}](t, outer, inner)
	timer := mustSpawn[struct{}](t, outer, sleep(time.Hour))
	parent := mustSpawn[struct{}](t, r.Local, outer)
	r.turn(4)
	leaf.End(errFirst)
	for !parent.Done() {
		r.Poll(Budget{})
	}
	test.Equal(t, "error", errors.Is(parent.Err(), errFirst), true)
	test.Equal(t, "outcome", middle.Outcome(), Returned)
	test.Equal(t, "outcome", timer.Outcome(), CancelledRunning)
}

func TestPoolTasksHaveNoScopes(t *testing.T) {
	c := newPoolRig(t, 1)
	s := NewScope(c.workers[0].Local, ScopeConfig{Stream: true})
	end := mustSpawn[struct{}](t, c.Pool, s)
	next := mustSpawn(t, c.Pool, s.Next())
	c.turn(0, 2)
	for _, err := range []error{end.Err(), next.Err()} {
		test.Equal(t, "error", err, ErrWrongLocal)
	}
}
