// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestTaskReturns(t *testing.T) {
	r := newRig(t)
	p := &probe{Ready: true}
	var trace []string
	p.OnDrop = func() { trace = append(trace, "drop") }
	task := mustSpawn[int](t, r.Local, p, OnDone[int](func(v int, err error, o Outcome) {
		trace = append(trace, "done")
		test.Equal(t, "value", v, 1)
		test.Equal(t, "error", err, nil)
		test.Equal(t, "outcome", o, Returned)
	}))
	test.Equal(t, "done", task.Done(), false)
	test.Equal(t, "live", r.turn(1).Live, 0)
	test.Equal(t, "done", task.Done(), true)
	test.Equal(t, "trace", strings.Join(trace, " "), "drop done")
	test.Equal(t, "cancel", task.Cancel(), Stale)
	p.Want(t, 1, 1)
}

func TestCancelBeforeFirstPoll(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	test.Equal(t, "cancel", task.Cancel(), Accepted)
	test.Equal(t, "cancel", task.Cancel(), Coalesced)
	r.turn(0)
	p.Want(t, 0, 1)
	test.Equal(t, "outcome", task.Outcome(), CancelledBeforeStart)
	_, err := task.Result()
	test.Equal(t, "error", errors.Is(err, ErrCancelled) && errors.Is(err, context.Canceled), true)
}

func TestCancelWhileWaiting(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	r.turn(1)
	p.Waker.Wake()
	test.Equal(t, "cancel beside a wake", task.Cancel(), Accepted)
	r.turn(0)
	p.Want(t, 1, 1)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
	test.Equal(t, "pokes", r.pokes, 2)
}

func TestCancelDuringOwnPollThatReturns(t *testing.T) {
	r := newRig(t)
	p := &probe{Ready: true}
	var task *Task[int]
	p.OnPoll = func(*Context) { task.Cancel() }
	task = mustSpawn[int](t, r.Local, p)
	r.turn(1)
	r.turn(0)
	p.Want(t, 1, 1)
	test.Equal(t, "outcome", task.Outcome(), Returned)
}

func TestJoinIsForOneTask(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	polls := 0
	first := mustSpawn(t, r.Local, fn[int](func(cx *Context) (int, bool, error) {
		polls++
		return task.Poll(cx)
	}))
	second := mustSpawn(t, r.Local, task)
	r.turn(3)
	test.Equal(t, "another one", second.Err(), ErrBusy)
	Waker(first.Handle() ^ (kindTask^kindWaker)<<56).Wake() // polled once more, still the one
	r.turn(1)
	p.Ready = true
	p.Waker.Wake()
	r.turn(1)
	r.turn(1)
	test.Equal(t, "polls", polls, 3)
	v, err := first.Result()
	test.Equal(t, "joined value", v, 2)
	test.Equal(t, "joined error", err, nil)
	late := mustSpawn(t, r.Local, task)
	r.turn(1)
	test.Equal(t, "a late join", late.Err(), nil)
}

func TestJoinerThatIsGoneMakesRoom(t *testing.T) {
	c := newPoolRig(t, 1)
	for _, on := range []Executor{c.workers[0].Local, c.Pool} {
		p := new(probe)
		task := mustSpawn[int](t, on, p)
		gone := mustSpawn(t, on, task)
		c.turn(0, 2)
		gone.Cancel()
		c.turn(0, 0)
		next := mustSpawn(t, on, task)
		c.turn(0, 1)
		p.Ready = true
		p.Waker.Wake()
		c.turn(0, 1)
		c.turn(0, 1)
		v, err := next.Result()
		test.Equal(t, "joined value", v, 2)
		test.Equal(t, "joined error", err, nil)
	}
}

func TestJoinOfCancelledTask(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, new(probe))
	joiner := mustSpawn(t, r.Local, task)
	r.turn(2)
	task.Cancel()
	r.turn(0)
	r.turn(1)
	_, err := joiner.Result()
	test.Equal(t, "error", err, ErrCancelled)
	test.Equal(t, "outcome of the joiner", joiner.Outcome(), Returned)
}

func TestJoinerCancelledLeavesTask(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, r.Local, p)
	joiner := mustSpawn(t, r.Local, task)
	r.turn(2)
	joiner.Cancel()
	test.Equal(t, "live", r.turn(0).Live, 1)
	p.Ready = true
	p.Waker.Wake()
	r.turn(1)
	test.Equal(t, "outcome", task.Outcome(), Returned)
}

func TestJoinFromAnotherLocal(t *testing.T) {
	r, other := newRig(t), newRig(t)
	task := mustSpawn[int](t, r.Local, new(probe))
	joiner := mustSpawn(t, other.Local, task)
	other.turn(1)
	_, err := joiner.Result()
	test.Equal(t, "error", err, ErrWrongLocal)
}

func TestPanicIsTheTasksError(t *testing.T) {
	r := newRig(t)
	cause := errors.New("cause")
	p := &probe{OnPoll: func(*Context) { panic(cause) }}
	before, after := &probe{Ready: true}, &probe{Ready: true}
	mustSpawn[int](t, r.Local, before)
	task := mustSpawn[int](t, r.Local, p)
	mustSpawn[int](t, r.Local, after)
	test.Equal(t, "live", r.turn(3).Live, 0)
	p.Want(t, 1, 1)
	_, err := task.Result()
	var pe *PanicError
	if !errors.As(err, &pe) || !errors.Is(err, cause) || err.Error() != "panic: cause" {
		t.Fatalf("error: %v", err)
	}
	if !strings.Contains(string(pe.Stack), "TestPanicIsTheTasksError") {
		t.Fatalf("the stack isn't that of the panic:\n%s", pe.Stack)
	}
}

func TestPanicInDrop(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, &probe{Ready: true, OnDrop: func() { panic("drop") }})
	r.turn(1)
	_, err := task.Result()
	if err == nil || err.Error() != "panic: drop" {
		t.Fatalf("error: %v", err)
	}
}

func TestPanicsKeepToTheBudget(t *testing.T) {
	r := newRig(t)
	for range 5 {
		mustSpawn[int](t, r.Local, &probe{OnPoll: func(*Context) { panic(1) }})
	}
	p, _ := r.Poll(Budget{MaxPolls: 2})
	test.Equal(t, "polled", p.Polled, 2)
	test.Equal(t, "more", p.More, true)
	r.turn(3)
}

// Goexit ends the goroutine that polls; the executor stays usable.
func TestGoexitInAFuture(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, &probe{OnPoll: func(*Context) { runtime.Goexit() }})
	rest := mustSpawn[int](t, r.Local, &probe{Ready: true})
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Poll(Budget{})
		t.Error("Goexit was contained after all")
	}()
	<-done
	_, err := task.Result()
	test.Equal(t, "error", err, ErrGoexit)
	r.turn(1)
	test.Equal(t, "the other task", rest.Done(), true)
}

func TestStorageIsReused(t *testing.T) {
	r := newRig(t)
	var task Task[int]
	p := new(probe)
	if err := task.Spawn(r.Local, p); err != nil {
		t.Fatal(err)
	}
	test.Equal(t, "spawn into a live task", task.Spawn(r.Local, p), ErrBusy)
	p.Ready = true
	r.turn(1)
	first := task.Handle()
	if err := task.Spawn(r.Local, p); err != nil {
		t.Fatal(err)
	}
	test.Equal(t, "cancel of the first", first.Cancel(), Stale)
	r.turn(1)
	p.Want(t, 2, 2)
}

func TestRespawnFromOnDone(t *testing.T) {
	r := newRig(t)
	var task Task[int]
	p := &probe{Ready: true}
	done := 0
	var onDone OnDone[int]
	onDone = func(int, error, Outcome) {
		if done++; done < 3 {
			test.Equal(t, "spawn", task.Spawn(r.Local, p, onDone), nil)
		}
	}
	task.Spawn(r.Local, p, onDone)
	for range 3 {
		r.turn(1)
	}
	p.Want(t, 3, 3)
	test.Equal(t, "live", r.Live(), 0)
}

// The task has made itself ready before it finished: its place in the ring must not
// poll the next task in its storage or slot.
func TestReadyTaskFinishes(t *testing.T) {
	r := newRig(t)
	var task Task[int]
	p := &probe{Ready: true, OnPoll: func(cx *Context) { cx.WakeSelf() }}
	task.Spawn(r.Local, p)
	test.Equal(t, "more", r.turn(1).More, true)
	next := new(probe)
	task.Spawn(r.Local, next)
	r.turn(1)
	r.turn(0)
	next.Want(t, 1, 0)
}

func TestCancelLocalTakesEffectInThisTurn(t *testing.T) {
	r := newRig(t)
	later := &probe{}
	var task *Task[int]
	mustSpawn[int](t, r.Local, &probe{Ready: true, OnPoll: func(*Context) {
		test.Equal(t, "first", r.CancelLocal(task.Handle()), Accepted)
		test.Equal(t, "second", r.CancelLocal(task.Handle()), Coalesced)
	}})
	task = mustSpawn[int](t, r.Local, later)
	r.turn(1)
	later.Want(t, 0, 1)
	test.Equal(t, "outcome", task.Outcome(), CancelledBeforeStart)
	test.Equal(t, "late", r.CancelLocal(task.Handle()), Stale)
	test.Equal(t, "forged", r.CancelLocal(0), BadHandle)
}

func TestCancelLocalOfAnothersTaskIsPosted(t *testing.T) {
	r, other := newRig(t), newRig(t)
	p := new(probe)
	task := mustSpawn[int](t, other.Local, p)
	test.Equal(t, "CancelLocal", r.CancelLocal(task.Handle()), Accepted)
	r.turn(0)
	other.turn(0)
	p.Want(t, 0, 1)
}

func TestATaskCannotJoinItself(t *testing.T) {
	r := newRig(t)
	var task *Task[int]
	task = mustSpawn(t, r.Local, fn[int](func(cx *Context) (int, bool, error) {
		return task.Poll(cx)
	}))
	r.turn(1)
	_, err := task.Result()
	test.Equal(t, "error", err, ErrJoinItself)
}
