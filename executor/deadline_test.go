// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestDeadlineCancels(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	var ended Outcome
	task := mustSpawn[int](t, r.Local, p, WithDeadline(100), OnDone[int](func(_ int, err error, o Outcome) {
		ended = o
		test.Equal(t, "error", err, ErrTimedOut)
	}))
	joiner := mustSpawn(t, r.Local, task)
	test.Equal(t, "deadline", r.turn(2).Deadline, 100)
	r.now = 99
	r.turn(0)
	r.now = 100
	test.Equal(t, "deadline", r.turn(0).Deadline, Never)
	p.Want(t, 1, 1)
	test.Equal(t, "outcome", ended, CancelledRunning)
	r.turn(1)
	_, err := joiner.Result()
	test.Equal(t, "error of the joiner", err, ErrTimedOut)
}

func TestDeadlineBeforeTheFirstPoll(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	soon := mustSpawn[int](t, r.Local, p, WithDeadline(100))
	r.now = 100
	r.turn(0)
	test.Equal(t, "outcome", soon.Outcome(), CancelledBeforeStart)
	past := mustSpawn[int](t, r.Local, p, WithDeadline(50))
	r.turn(0)
	test.Equal(t, "outcome", past.Outcome(), CancelledBeforeStart)
	p.Want(t, 0, 2)
}

func TestDeadlineGoesWithTheTask(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, &probe{Ready: true}, WithDeadline(100))
	test.Equal(t, "deadline", r.turn(1).Deadline, Never)
	test.Equal(t, "too late", task.SetDeadline(200), ErrClosed)

	p := new(probe) // the storage is used again, and has no deadline
	if err := task.Spawn(r.Local, p); err != nil {
		t.Fatal(err)
	}
	test.Equal(t, "deadline", r.turn(1).Deadline, Never)
	r.now = 1000
	r.turn(0)
	p.Want(t, 1, 0)
}

func TestDeadlineMoves(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, new(probe), WithDeadline(100))
	test.Equal(t, "deadline", r.turn(1).Deadline, 100)
	pokes := r.pokes
	test.Equal(t, "later", task.SetDeadline(200), nil)
	test.Equal(t, "sooner", task.SetDeadline(50), nil)
	if r.pokes == pokes {
		t.Error("the host was not told of an earlier deadline")
	}
	test.Equal(t, "deadline", r.turn(0).Deadline, 50)
	test.Equal(t, "none", task.SetDeadline(Never), nil)
	test.Equal(t, "deadline", r.turn(0).Deadline, Never)
	test.Equal(t, "now", task.SetDeadline(0), nil)
	test.Equal(t, "live", r.turn(0).Live, 0)
}

func TestShieldHoldsADeadlineOff(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	shielded := true
	p.OnPoll = func(cx *Context) {
		if p.Polls == 1 || !shielded {
			cx.Shield(shielded)
		}
	}
	task := mustSpawn[int](t, r.Local, p, WithDeadline(100))
	r.turn(1)
	r.now = 100
	r.turn(1)
	shielded = false
	p.Waker.Wake()
	r.turn(1)
	r.turn(0)
	p.Want(t, 3, 1)
	_, err := task.Result()
	test.Equal(t, "error", err, ErrTimedOut)
}

func TestCancelBeforeTheDeadlineCounts(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, new(probe), WithDeadline(100))
	r.turn(1)
	task.Cancel()
	r.now = 100
	test.Equal(t, "deadline", r.turn(0).Deadline, Never)
	_, err := task.Result()
	test.Equal(t, "error", err, ErrCancelled)
}

func TestDeadlineIsNotRefused(t *testing.T) {
	l := New(Config{MaxTimers: 1, Clock: func() int64 { return 1 }})
	defer l.Free()
	mustSpawn[int](t, l, new(probe), WithDeadline(100))
	second := mustSpawn[int](t, l, new(probe))
	test.Equal(t, "set", second.SetDeadline(50), nil)
	sleep := mustSpawn(t, l, sleep(5))
	p, _ := l.Poll(Budget{})
	test.Equal(t, "deadline", p.Deadline, 50)
	_, err := sleep.Result()
	test.Equal(t, "error of a sleep", err, ErrAgain)
}

func TestDeadlineInAPool(t *testing.T) {
	c := newPoolRig(t, 2)
	p := new(probe)
	task := mustSpawn[int](t, c.Pool, p, WithDeadline(10))
	test.Equal(t, "deadline", c.turn(0, 1).Deadline, 10)
	var other *Task[int]
	q := &probe{OnPoll: func(*Context) { other.SetDeadline(20) }}
	other = mustSpawn[int](t, c.Pool, q, WithDeadline(5))
	done := mustSpawn[int](t, c.Pool, &probe{Ready: true}, WithDeadline(7))
	test.Equal(t, "deadline", c.turn(1, 2).Deadline, 10)
	test.Equal(t, "done", done.Done(), true)

	c.workers[1].now = 10
	test.Equal(t, "deadline", c.turn(1, 0).Deadline, 20)
	p.Want(t, 1, 1)
	_, err := task.Result()
	test.Equal(t, "error", err, ErrTimedOut)
	test.Equal(t, "outcome", task.Outcome(), CancelledRunning)
	test.Equal(t, "too late", task.SetDeadline(30), ErrClosed)
	other.Cancel()
	test.Equal(t, "deadline", c.turn(0, 0).Deadline, Never)
	late := mustSpawn[int](t, c.Pool, new(probe), WithDeadline(-1))
	for !late.Done() {
		c.workers[0].Poll(Budget{})
	}
	test.Equal(t, "outcome", late.Outcome(), CancelledBeforeStart)
}

// Deadlines are set, moved, reached and taken back by whichever goroutine has the
// task just then.
func TestPoolDeadlinesOnSeveralThreads(t *testing.T) {
	const tasks = 300
	p := NewPool(PoolConfig{})
	if err := p.Start(3); err != nil {
		t.Fatal(err)
	}
	all := make([]*Task[int], tasks)
	var ended sync.WaitGroup
	ended.Add(tasks)
	for i := range all {
		all[i] = new(Task[int])
		n := 0
		f := fn[int](func(cx *Context) (int, bool, error) {
			if n++; n < 10 {
				all[i].SetDeadline(cx.Now() + int64(1+rand.IntN(3))*int64(time.Millisecond))
				cx.WakeSelf()
				return 0, false, nil
			}
			return 0, i%2 == 0, nil // the others wait for their deadlines
		})
		done := OnDone[int](func(_ int, err error, o Outcome) {
			if err != ErrTimedOut && (err != nil || i%2 != 0) {
				t.Errorf("task %d: %v", i, err)
			}
			ended.Done()
		})
		if err := all[i].Spawn(p, f, done, WithDeadline(monotonic()+int64(time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	ended.Wait()
	p.Stop()
	if err := p.Free(); err != nil {
		t.Error(err)
	}
	test.Equal(t, "armed", p.timers.wheel.Count, 0)
}
