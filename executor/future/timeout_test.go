// SPDX-License-Identifier: Apache-2.0

package future

import (
	"context"
	"errors"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
)

func TestTimeoutPassesOnWhatIsReady(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn(t, r.Local, Timeout[int](100, p))
	equal(t, "deadline", r.turn(1).Deadline, 101)
	p.ready = true
	r.now = 101 // both at once: what is ready counts
	equal(t, "deadline", r.turn(1).Deadline, Never)
	p.want(t, 2, 1)
	value, err := task.Result()
	equal(t, "value", value, 2)
	equal(t, "error", err, nil)
}

func TestTimeoutDropsWhatIsLate(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	var err error
	limited := Deadline[int](50, p)
	mustSpawn(t, r.Local, FutureFunc[int](func(cx *Context) (int, bool, error) {
		if limited != nil {
			var ready bool
			if _, ready, err = limited.Poll(cx); ready {
				p.want(t, 2, 1) // at once, while the task goes on
				limited = nil
			}
		}
		return 0, false, nil
	}))
	r.turn(1)
	r.now = 50
	r.turn(1)
	equal(t, "error", err, ErrTimedOut)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("not as a context has it")
	}
	equal(t, "deadline", r.turn(0).Deadline, Never)
}

func TestTimeoutOfACancelledTask(t *testing.T) {
	r := newRig(t)
	p, s := new(probe), &slow{turns: 2}
	task, slowly := mustSpawn(t, r.Local, Timeout[int](100, p)), mustSpawn(t, r.Local, Timeout[int](100, s))
	r.turn(2)
	task.Cancel()
	slowly.Cancel()
	r.turn(0)
	for range 2 {
		equal(t, "done", slowly.Done(), false)
		s.waker.Wake()
		r.turn(1)
	}
	equal(t, "done", slowly.Done(), true)
	p.want(t, 1, 1)
	equal(t, "unwinds", s.unwinds, 1)
	equal(t, "drops", s.drops, 1)
	equal(t, "deadline", r.turn(0).Deadline, Never)
}

func TestTimeoutOverTheQuota(t *testing.T) {
	l := New(Config{MaxTimers: 1, Clock: func() int64 { return 1 }})
	defer l.Free()
	mustSpawn(t, l, Sleep(5))
	p := new(probe)
	task := mustSpawn(t, l, Timeout[int](5, p))
	l.Poll(Budget{})
	_, err := task.Result()
	equal(t, "error", err, ErrAgain)
	p.want(t, 1, 1)
}

func TestTimeoutUnwinds(t *testing.T) {
	for _, failure := range []error{nil, errSecond} {
		r := newRig(t)
		s := &slow{turns: 1, err: failure}
		task := await(t, r, Timeout[int](10, s))
		r.now += 10
		r.turn(1)
		equal(t, "unwinds", s.unwinds, 1)
		equal(t, "done", task.Done(), false)
		s.waker.Wake()
		if failure != nil {
			task.Cancel() // on its way already: nothing is unwound twice, nor is the wake lost
			r.turn(0)
		} else {
			r.turn(1)
		}
		equal(t, "timed out", errors.Is(task.Err(), ErrTimedOut), true)
		equal(t, "what went wrong", errors.Is(task.Err(), errSecond), failure != nil)
		s.want(t, 3, 1)
	}
	r := newRig(t)
	s := &slow{turns: 1}
	task := await(t, r, Timeout[int](10, s))
	task.SetDeadline(r.now + 5)
	r.now += 5
	r.turn(0)
	s.waker.Wake()
	r.turn(1)
	equal(t, "the task's own end", task.Err(), ErrTimedOut)
	equal(t, "deadline", r.turn(0).Deadline, Never)
	s.want(t, 2, 1)
}
