// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
)

func init() {
	cases["the_executor_may_be_freed_first"] = freedFirst
	cases["the_loop_may_be_destroyed_first"] = destroyedFirst
	cases["loop_executor_detach_in_this_order"] = inThisOrder
	cases["free_in_on_event_ends_the_events"] = freedInHandler
	cases["an_adapter_of_a_destroyed_loop_leaves_the_next_one_alone"] = nextLoop
	cases["a_wake_after_the_free_is_stale"] = stale
}

// suspend leaves a task of each kind waiting.
func (r *rig) suspend() (p *probe, suspended *executor.Task[int]) {
	p = &probe{}
	spawn(r, p)
	spawn(r, blocked())
	spawn(r, forever())
	begun := false
	suspended = spawn(r, coro.New(func(co *coro.Co) (int, error) {
		begun = true
		return coro.Await(co, &probe{})
	}))
	r.until(func() bool { return begun })
	r.settle()
	return p, suspended
}

func freedFirst(r *rig) {
	p, suspended := r.suspend()
	r.want(r.l.Free(), nil)
	r.is(p.drops == 1)
	r.want(suspended.Err(), executor.ErrCancelled)
	_ = r.host.Wake()
	r.settle()
	r.want(r.host.Err(), executor.ErrClosed)
	r.is(r.wait(5*time.Millisecond) < 10, "it spins")
	r.close()
}

func destroyedFirst(r *rig) {
	p, suspended := r.suspend()
	r.Destroy()
	spawn(r, worker(1)) // it wakes a host whose loop is gone
	p.waker.Wake()
	r.close()
	r.is(p.drops == 1)
	r.want(suspended.Err(), executor.ErrCancelled)
}

func inThisOrder(r *rig) {
	p, _ := r.suspend()
	r.Destroy()
	r.want(r.l.Free(), nil)
	r.is(p.drops == 1)
	r.close()
}

// The handler is the loop's own: in a turn the executor can't be freed.
func freedInHandler(r *rig) {
	r.suspend()
	answered := false
	spawn(r, &probe{last: 1}, executor.OnDone[int](func(int, error, executor.Outcome) {
		answered = r.l.Free() == executor.ErrReentrant && r.host.Close() == executor.ErrReentrant
	}))
	r.until(func() bool { return answered })
	closed := false
	r.After(0, func() { closed = r.host.Close() == nil })
	r.until(func() bool { return closed })
	r.is(r.l.Live() == 0, r.l.Live())
}

// The loop that comes next may have the numbers of the one that is gone.
func nextLoop(r *rig) {
	r.suspend()
	r.Destroy()
	next := r.Driver.open(r)
	r.close()
	task := spawn(next, worker(3))
	next.run()
	r.want(task.Err(), nil)
}

func stale(r *rig) {
	p := &probe{}
	spawn(r, p)
	r.settle()
	r.want(r.l.Free(), nil)
	r.is(p.waker.Wake() == executor.Stale)
}
