// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var errFirst, errSecond = errors.New("first"), errors.New("second")

// kid is a future that ends as it is told.
type kid struct {
	probe
	err error
}

func (c *kid) Poll(cx *Context) (int, bool, error) {
	v, ready, _ := c.probe.Poll(cx)
	return v, ready, c.err
}

func (c *kid) end(err error) {
	c.ready, c.err = true, err
	c.waker.Wake()
}

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
		equal(t, "the parent is done", f.parent.Done(), false)
		c.end(nil)
		f.settle()
		equal(t, "the child is done", f.tasks[i].Done(), true)
	}
	equal(t, "the parent is done", f.parent.Done(), true)
	equal(t, "error", f.parent.Err(), nil)
	_, err := Spawn[int](f.Scope, new(probe))
	equal(t, "spawn after the end", err, ErrClosed)
}

func TestEmptyScopeEndsAtOnce(t *testing.T) {
	f := newFamily(t, 0, ScopeConfig{})
	f.turn(1)
	equal(t, "done", f.parent.Done(), true)
}

func TestFirstErrorCancelsTheRest(t *testing.T) {
	f := newFamily(t, 4, ScopeConfig{})
	f.settle()
	f.children[0].end(nil)
	f.settle()
	f.children[2].end(errFirst)
	f.children[3].end(errSecond) // in the same turn, but later
	f.settle()
	equal(t, "outcomes", f.outcomes(), "0202")
	err := f.parent.Err()
	equal(t, "error", err.Error(), "first")
	var scope *ScopeError
	equal(t, "as", errors.As(err, &scope), true)
	equal(t, "first", scope.First, errFirst)
	equal(t, "others", len(scope.Others), 0)
	equal(t, "spawn into the end", func() error { _, err := Spawn[int](f.Scope, new(probe)); return err }(), ErrClosed)
}

func TestErrorsThatFollowAreAttached(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{})
	failing := &slow{err: errSecond} // its clean-up fails
	mustSpawn[int](t, s, failing)
	panicking := &slow{turns: 1}
	mustSpawn[int](t, s, panicking)
	mustSpawn[int](t, s, &kid{probe: probe{ready: true}, err: errFirst})
	parent := mustSpawn[struct{}](t, r.Local, s)
	r.turn(4)
	panicking.onPoll = func(*Context) { panic("late") }
	r.turn(0)
	panicking.waker.Wake()
	equal(t, "done", parent.Done(), false)
	r.turn(1)
	r.turn(1)
	err := parent.Err()
	equal(t, "message", err.Error(), "first (and 2 more)")
	var pe *PanicError
	equal(t, "all are found", errors.Is(err, errFirst) && errors.Is(err, errSecond) && errors.As(err, &pe), true)
}

func TestPanicInAChildIsAnError(t *testing.T) {
	f := newFamily(t, 2, ScopeConfig{})
	f.children[0].onPoll = func(*Context) { panic(errFirst) }
	f.settle()
	equal(t, "outcomes", f.outcomes(), "01")
	equal(t, "error", errors.Is(f.parent.Err(), errFirst), true)
}

// Somebody else's cancel of a child is an error like any other.
func TestChildIsCancelledByAnother(t *testing.T) {
	f := newFamily(t, 2, ScopeConfig{})
	f.settle()
	f.tasks[1].Cancel()
	f.settle()
	equal(t, "outcomes", f.outcomes(), "22")
	equal(t, "error", errors.Is(f.parent.Err(), ErrCancelled), true)
}

func TestCancelOfAScopeIsNoError(t *testing.T) {
	f := newFamily(t, 2, ScopeConfig{})
	f.settle()
	f.Scope.Cancel()
	f.Scope.Cancel()
	f.settle()
	equal(t, "outcomes", f.outcomes(), "22")
	equal(t, "error", f.parent.Err(), nil)
}

// No task awaits the scope, so nothing else has a reason to poke.
func TestCancelOfAScopePokesAnIdleHost(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{})
	child := mustSpawn[int](t, s, new(probe))
	r.turn(1)
	r.pokes = 0
	s.Cancel()
	equal(t, "pokes", r.pokes, 1)
	s.Cancel()
	equal(t, "pokes of a second cancel", r.pokes, 1)
	r.turn(0)
	equal(t, "outcome", child.Outcome(), CancelledRunning)
	s.Drop()
}

func TestCancelledParentWaitsForItsChildren(t *testing.T) {
	f := newFamily(t, 1, ScopeConfig{})
	shielded := &slow{turns: 1}
	last := mustSpawn[int](t, f.Scope, shielded)
	f.settle()
	f.parent.Cancel()
	f.settle()
	equal(t, "outcomes", f.outcomes(), "2")
	equal(t, "the parent is done", f.parent.Done(), false)
	shielded.waker.Wake()
	f.settle()
	equal(t, "outcome", last.Outcome(), CancelledRunning)
	equal(t, "outcome of the parent", f.parent.Outcome(), CancelledRunning)
	equal(t, "error of the parent", f.parent.Err(), ErrCancelled)
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
			equal(t, "polls", f.children[2].polls, 0)
			drop(f)
			equal(t, "outcomes", f.outcomes(), "221")
			for _, c := range f.children {
				equal(t, "drops", c.drops, 1)
			}
		})
	}
}

func TestDropIgnoresShieldsAndUnwinding(t *testing.T) {
	r := newRig(t)
	s := NewScope(r.Local, ScopeConfig{})
	done := false
	shielded, unwinding := shieldUntil(t, &done), &slow{turns: 3}
	mustSpawn[int](t, s, shielded)
	mustSpawn[int](t, s, unwinding)
	r.turn(2)
	s.Cancel()
	r.turn(1)
	equal(t, "live", r.Live(), 2)
	s.Drop()
	equal(t, "live", r.Live(), 0)
	shielded.want(t, 2, 1)
	unwinding.want(t, 1, 1)
}

func TestChildThatEvictsItsParent(t *testing.T) {
	f := newFamily(t, 2, ScopeConfig{})
	f.children[0].onPoll = func(*Context) { equal(t, "evict", f.Evict(f.parent.Handle()), nil) }
	f.turn(1) // the other one was dropped, and so was the parent
	equal(t, "outcomes", f.outcomes(), "-1")
	f.turn(0)
	equal(t, "outcomes", f.outcomes(), "21")
}

func TestLimit(t *testing.T) {
	f := newFamily(t, 5, ScopeConfig{Limit: 2})
	polled := func() string {
		s := ""
		for _, c := range f.children {
			s += fmt.Sprint(c.polls)
		}
		return s
	}
	f.settle()
	equal(t, "polls", polled(), "11000")
	f.children[1].end(nil)
	f.settle()
	equal(t, "polls", polled(), "12100")
	f.tasks[3].Cancel() // while it waits: no task gets a poll for it
	f.tasks[3].Detach()
	f.settle()
	equal(t, "polls", polled(), "12100")
	equal(t, "outcome", f.tasks[3].Outcome(), CancelledBeforeStart)
	f.spawn()
	f.children[0].end(nil)
	f.children[2].end(nil)
	f.settle()
	equal(t, "polls", polled(), "222011")
	f.children[4].end(nil)
	f.children[5].end(nil)
	f.settle()
	equal(t, "error", f.parent.Err(), nil)
	equal(t, "running", f.running, 0)
}

func TestErrorCancelsWhoWaitsForTheLimit(t *testing.T) {
	f := newFamily(t, 3, ScopeConfig{Limit: 1})
	f.settle()
	f.children[0].end(errFirst)
	f.settle()
	equal(t, "outcomes", f.outcomes(), "011")
	equal(t, "polls", f.children[1].polls+f.children[2].polls, 0)
}

func TestDetach(t *testing.T) {
	f := newFamily(t, 3, ScopeConfig{Limit: 1})
	f.settle()
	f.tasks[2].Detach() // starts at once
	f.tasks[0].Detach() // lets the next one in
	f.tasks[0].Detach()
	f.settle()
	equal(t, "polls", f.children[1].polls+f.children[2].polls, 2)
	f.children[1].end(errFirst)
	f.settle()
	equal(t, "outcomes", f.outcomes(), "-0-")
	equal(t, "done", f.parent.Done(), true)
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
	f.children[2].end(nil)
	f.settle()
	for _, want := range []int{2, 0, 1} {
		task := next()
		if want != 2 {
			equal(t, "done", task.Done(), false)
			f.children[want].end(nil)
			f.settle()
		}
		got, err := task.Result()
		equal(t, "child", got, Child(f.tasks[want]))
		equal(t, "error", err, nil)
	}
	got, err := next().Result()
	equal(t, "child", got, nil)
	equal(t, "error", err, nil)
	defer func() { equal(t, "panics", recover() != nil, true) }()
	NewScope(f.rig.Local, ScopeConfig{}).Next()
}

func TestNextEndsWithTheScope(t *testing.T) {
	f := newFamily(t, 1, ScopeConfig{Stream: true})
	task := mustSpawn(t, f.rig.Local, f.Next())
	f.settle()
	f.tasks[0].Detach()
	f.settle()
	got, _ := task.Result()
	equal(t, "child", got, nil)
	other := newRig(t)
	for _, err := range []error{
		awaitOn(other, f.Next()), awaitOn[struct{}](other, f.Scope),
	} {
		equal(t, "error", err, ErrWrongLocal)
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
	timer := mustSpawn[struct{}](t, outer, Sleep(time.Hour))
	parent := mustSpawn[struct{}](t, r.Local, outer)
	r.turn(4)
	leaf.end(errFirst)
	for !parent.Done() {
		r.Poll(Budget{})
	}
	equal(t, "error", errors.Is(parent.Err(), errFirst), true)
	equal(t, "outcome", middle.Outcome(), Returned)
	equal(t, "outcome", timer.Outcome(), CancelledRunning)
}

func TestPoolTasksHaveNoScopes(t *testing.T) {
	c := newPoolRig(t, 1)
	s := NewScope(c.workers[0].Local, ScopeConfig{Stream: true})
	end := mustSpawn[struct{}](t, c.Pool, s)
	next := mustSpawn(t, c.Pool, s.Next())
	c.turn(0, 2)
	for _, err := range []error{end.Err(), next.Err()} {
		equal(t, "error", err, ErrWrongLocal)
	}
}
