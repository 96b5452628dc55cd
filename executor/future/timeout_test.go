// SPDX-License-Identifier: Apache-2.0

package future

import (
	"context"
	"errors"
	"testing"

	. "github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/test"
)

func TestTimeoutPassesOnWhatIsReady(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	task := mustSpawn(t, r.Local, Timeout[int](100, p))
	test.Equal(t, "deadline", r.turn(1).Deadline, 101)
	p.Ready = true
	r.now = 101 // both at once: what is ready counts
	test.Equal(t, "deadline", r.turn(1).Deadline, Never)
	p.Want(t, 2, 1)
	value, err := task.Result()
	test.Equal(t, "value", value, 2)
	test.Equal(t, "error", err, nil)
}

func TestTimeoutDropsWhatIsLate(t *testing.T) {
	r := newRig(t)
	p := new(probe)
	var err error
	limited := Deadline[int](50, p)
	mustSpawn(t, r.Local, Func[int](func(cx *Context) (int, bool, error) {
		if limited != nil {
			var ready bool
			if _, ready, err = limited.Poll(cx); ready {
				p.Want(t, 2, 1) // at once, while the task goes on
				limited = nil
			}
		}
		return 0, false, nil
	}))
	r.turn(1)
	r.now = 50
	r.turn(1)
	test.Equal(t, "error", err, ErrTimedOut)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("not as a context has it")
	}
	test.Equal(t, "deadline", r.turn(0).Deadline, Never)
}

func TestTimeoutOfACancelledTask(t *testing.T) {
	r := newRig(t)
	p, s := new(probe), &slow{Turns: 2}
	task, slowly := mustSpawn(t, r.Local, Timeout[int](100, p)), mustSpawn(t, r.Local, Timeout[int](100, s))
	r.turn(2)
	task.Cancel()
	slowly.Cancel()
	r.turn(0)
	for range 2 {
		test.Equal(t, "done", slowly.Done(), false)
		s.Waker.Wake()
		r.turn(1)
	}
	test.Equal(t, "done", slowly.Done(), true)
	p.Want(t, 1, 1)
	test.Equal(t, "unwinds", s.Unwinds, 1)
	test.Equal(t, "drops", s.Drops, 1)
	test.Equal(t, "deadline", r.turn(0).Deadline, Never)
}

func TestTimeoutOverTheQuota(t *testing.T) {
	l := New(Config{MaxTimers: 1, Clock: func() int64 { return 1 }})
	defer l.Free()
	mustSpawn(t, l, Sleep(5))
	p := new(probe)
	task := mustSpawn(t, l, Timeout[int](5, p))
	l.Poll(Budget{})
	_, err := task.Result()
	test.Equal(t, "error", err, ErrAgain)
	p.Want(t, 1, 1)
}

func TestTimeoutUnwinds(t *testing.T) {
	for _, failure := range []error{nil, errSecond} {
		r := newRig(t)
		s := &slow{Turns: 1, Err: failure}
		task := await(t, r, Timeout[int](10, s))
		r.now += 10
		r.turn(1)
		test.Equal(t, "unwinds", s.Unwinds, 1)
		test.Equal(t, "done", task.Done(), false)
		s.Waker.Wake()
		if failure != nil {
			task.Cancel() // on its way already: nothing is unwound twice, nor is the wake lost
			r.turn(0)
		} else {
			r.turn(1)
		}
		test.Equal(t, "timed out", errors.Is(task.Err(), ErrTimedOut), true)
		test.Equal(t, "what went wrong", errors.Is(task.Err(), errSecond), failure != nil)
		s.Want(t, 3, 1)
	}
	r := newRig(t)
	s := &slow{Turns: 1}
	task := await(t, r, Timeout[int](10, s))
	task.SetDeadline(r.now + 5)
	r.now += 5
	r.turn(0)
	s.Waker.Wake()
	r.turn(1)
	test.Equal(t, "the task's own end", task.Err(), ErrTimedOut)
	test.Equal(t, "deadline", r.turn(0).Deadline, Never)
	s.Want(t, 2, 1)
}
