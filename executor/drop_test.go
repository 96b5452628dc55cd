// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"runtime"
	"testing"

	"github.com/pillion-dev/pillion/executor/internal/test"
)

// By the time of the drop the slot isn't the task's any more, and the next task that
// has it must not get the deadline.
func TestDeadlineIsNotSetDuringTheDrop(t *testing.T) {
	c := newPoolRig(t, 1)
	r := c.workers[0]
	for _, on := range []Executor{r.Local, c.Pool} {
		var task *Task[int]
		var got error
		p := &probe{OnDrop: func() { got = task.SetDeadline(r.now + 10) }}
		task = mustSpawn[int](t, on, p)
		r.turn(1)
		task.Cancel()
		r.turn(0)
		p.Want(t, 1, 1)
		test.Equal(t, "error", got, ErrClosed)
		other := mustSpawn[int](t, on, new(probe))
		test.Equal(t, "deadline", r.turn(1).Deadline, Never)
		r.now += 10
		r.turn(0)
		test.Equal(t, "the slot's next task is done", other.Done(), false)
		if err := task.Spawn(on, p, WithDeadline(r.now+10)); err != nil {
			t.Fatal(err)
		}
		test.Equal(t, "deadline", r.turn(1).Deadline, r.now+10)
		r.now += 10
		r.turn(0)
		test.Equal(t, "done", task.Done(), true)
		test.Equal(t, "deadline", r.turn(0).Deadline, Never)
	}
}

// Outside of a turn no worker looks at the slots that the drop has put into the ring.
func TestEvictPokesForWhomTheDropWakes(t *testing.T) {
	c := newPoolRig(t, 1)
	r := c.workers[0]
	waits := new(probe)
	mustSpawn[int](t, c.Pool, waits)
	task := mustSpawn[int](t, r.Local, &probe{OnDrop: func() { r.WakeLocal(waits.Waker) }})
	r.turn(2)
	r.turn(0)
	r.pokes = 0
	if err := r.Evict(task.Handle()); err != nil {
		t.Fatal(err)
	}
	test.Equal(t, "pokes", r.pokes, 1)
	r.turn(1)
	waits.Want(t, 2, 0)
}

// It must not, but what it does harm to is its own task.
func TestGoexitInADrop(t *testing.T) {
	r := newRig(t)
	task := mustSpawn[int](t, r.Local, &probe{OnDrop: runtime.Goexit})
	r.turn(1)
	task.Cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Poll(Budget{})
	}()
	<-done
	other := mustSpawn[int](t, r.Local, &probe{Ready: true})
	test.Equal(t, "live", r.turn(1).Live, 0)
	test.Equal(t, "the other task", other.Done(), true)
}
