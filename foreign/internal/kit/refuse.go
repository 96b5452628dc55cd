// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"sync"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
)

func init() {
	cases["attach_twice_is_refused_and_harmless"] = twice
	cases["a_second_adapter_on_a_loop_is_refused_or_takes_over"] = second
	cases["attach_refuses_what_cannot_be"] = refuses
	cases["attach_inside_a_turn_is_refused"] = insideTurn
	cases["two_executors_share_a_loop"] = two
	cases["every_thread_may_have_a_loop"] = threads
}

func (r *rig) work() {
	r.Helper()
	task := spawn(r, worker(3))
	r.run()
	n, err := task.Result()
	r.is(n == 3 && err == nil, n, err)
}

func twice(r *rig) {
	r.want(r.host.Attach(r.l), executor.ErrBusy)
	r.work()
}

func second(r *rig) {
	other := r.apart(executor.Config{})
	r.want(other.host.Attach(r.l), executor.ErrWrongLocal)
	r.want(other.host.Run(), executor.ErrClosed)
	r.work()
}

func refuses(r *rig) {
	other := r.apart(executor.Config{})
	suspended := spawn(other, coro.New(func(co *coro.Co) (int, error) { return 0, coro.Shield(co, co.Yield) }))
	other.l.Poll(executor.Budget{})
	r.want(other.host.Attach(other.l), executor.ErrBusy) // its coroutine began outside
	for !suspended.Done() {
		other.l.Poll(executor.Budget{})
	}
	r.want(other.host.Attach(other.l), nil)
	other.work()
	r.work()
	other.close()
	r.want(other.host.Attach(other.l), executor.ErrClosed)
	r.want(other.host.Run(), executor.ErrClosed)
	freed := r.apart(executor.Config{})
	r.want(freed.l.Free(), nil)
	r.want(freed.host.Attach(freed.l), executor.ErrClosed)
}

func insideTurn(r *rig) {
	other := r.apart(executor.Config{})
	var answer error
	spawn(other, &probe{last: 1, then: func(*executor.Context) { answer = other.host.Attach(other.l) }})
	other.l.Poll(executor.Budget{})
	r.want(answer, executor.ErrReentrant)
}

func two(r *rig) {
	other := r.beside(executor.Config{})
	there, here := 0, 0
	for range 50 {
		spawn(r, call(), executor.OnDone[int](func(n int, _ error, _ executor.Outcome) { here += n }))
		spawn(other, worker(3), executor.OnDone[int](func(n int, _ error, _ executor.Outcome) { there += n }))
	}
	r.run()
	other.run()
	r.is(here == 50 && there == 150, here, there)
	other.close()
	r.work() // under the lock that is left
}

func threads(r *rig) {
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			loop, err := r.Open()
			if err != nil {
				r.Error(err)
				return
			}
			defer loop.Destroy()
			host, err := loop.Host()
			if err != nil {
				r.Error(err)
				return
			}
			l := executor.New(executor.Config{Host: host})
			if err := host.Attach(l); err != nil {
				r.Error(err)
			}
			for range 5 {
				task, err := executor.Spawn(l, worker(4))
				if err != nil {
					r.Error(err)
				}
				if err := host.Run(); err != nil || !task.Done() || task.Err() != nil {
					r.Error(err, task.Done())
				}
			}
			if err := host.Close(); err != nil {
				r.Error(err)
			}
		})
	}
	all.Wait()
}
