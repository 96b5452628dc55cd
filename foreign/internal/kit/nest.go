// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
)

func init() {
	cases["a_loop_inside_a_poll_neither_spins_nor_loses_anything"] = insidePoll
	cases["a_late_wake_inside_a_poll_does_not_silence_the_loop"] = lateWake
}

// dialog runs the loop for a while, where no turn can be made.
func (r *rig) dialog(d time.Duration) {
	if rounds := r.wait(d); rounds > 30 {
		r.Error(rounds, "rounds: it spins")
	}
}

func insidePoll(r *rig) {
	const shown = 30 * time.Millisecond
	outer := r.beside(executor.Config{})
	open, begun, ended := false, 0, 0
	body := func(f func(co *coro.Co) error) {
		spawn(r, coro.New(func(co *coro.Co) (int, error) {
			begun++
			err := f(co)
			if open {
				r.Error("a turn was made in there")
			}
			ended++
			return 0, err
		}))
	}
	body(func(co *coro.Co) error { // due in there
		_, err := coro.Await(co, future.Sleep(2*time.Millisecond))
		return err
	})
	body(func(co *coro.Co) error {
		_, err := coro.Await(co, call())
		return err
	})
	r.until(func() bool { return begun == 2 })
	for _, its := range []*rig{r, outer} { // inside a poll of its own, too
		p := &probe{last: 1, then: func(*executor.Context) {
			open = true
			its.dialog(shown)
			open = false
		}}
		spawn(its, p)
		its.run()
		r.is(p.drops == 1)
	}
	r.run()
	r.is(ended == 2, ended)
}

func lateWake(r *rig) {
	other := &probe{last: 2}
	task := spawn(r, other)
	r.settle()
	inside := &probe{last: 1, then: func(*executor.Context) {
		_ = r.host.Wake()
		r.dialog(0)
	}}
	spawn(r, inside)
	r.settle()
	r.is(inside.polls == 1 && other.polls == 1, inside.polls, other.polls)
	r.is(other.waker.Wake() == executor.Accepted)
	r.run()
	r.want(task.Err(), nil)
}
