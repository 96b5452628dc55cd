// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"context"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
	"github.com/pillion-dev/pillion/executor/offload"
)

func init() {
	cases["a_call_submitted_before_attach_comes"] = submittedEarly
	cases["calls_submitted_in_on_event_come"] = submittedInOnDone
	cases["a_program_sees_at_any_time_that_something_lives"] = lives
	cases["many_calls_come_in_batches"] = batches
	cases["functions_on_the_loop_run_in_its_turns"] = onTheLoop
	cases["a_task_is_woken_once_a_round"] = oncePerRound
	cases["a_loop_without_work_sleeps"] = idles
	cases["the_loop_ends_when_nothing_lives_and_not_before"] = ends
	cases["a_timer_that_a_task_has_left_does_not_keep_the_loop"] = leavesTimer
	cases["nothing_of_a_freed_executor_keeps_the_loop"] = freedKeepsNothing
}

func submittedEarly(r *rig) {
	loop := r.Driver.bare(r)
	other := loop.apart(executor.Config{})
	called, slept := spawn(other, call()), spawn(other, future.Sleep(time.Millisecond))
	r.want(other.host.Attach(other.l), nil)
	other.run()
	r.is(called.Done() && slept.Done())
}

func submittedInOnDone(r *rig) {
	count := 0
	var again executor.OnDone[int]
	again = func(int, error, executor.Outcome) {
		if count++; count < 20 {
			spawn(r, call(), again)
		}
	}
	spawn(r, call(), again)
	r.run()
	r.is(count == 20, count)
	var task *executor.Task[int] // in a handler of the loop's
	r.After(0, func() { task = spawn(r, call()) })
	r.until(func() bool { return task != nil && task.Done() })
}

func lives(r *rig) {
	r.run()
	r.is(r.l.Live() == 0)
	spawn(r, &probe{last: 1})
	r.is(r.l.Live() == 1)
	r.run()
	r.is(r.l.Live() == 0)
}

func batches(r *rig) {
	const calls = 5000
	count := 0
	for range calls {
		spawn(r, call(), executor.OnDone[int](func(n int, _ error, _ executor.Outcome) { count += n }))
	}
	r.run()
	r.is(count == calls, count)
}

func onTheLoop(r *rig) {
	order := ""
	body := func(name string, f func(co *coro.Co) error) {
		spawn(r, coro.New(func(co *coro.Co) (int, error) {
			err := f(co)
			order += name
			return 0, err
		}))
	}
	body("sleeps ", func(co *coro.Co) error {
		_, err := coro.Await(co, future.Sleep(3*time.Millisecond))
		return err
	})
	body("yields ", func(co *coro.Co) (err error) {
		for range 10 {
			err = co.Yield()
		}
		return err
	})
	body("returns ", func(*coro.Co) error { return nil })
	r.run()
	r.is(order == "returns yields sleeps " || order == "returns sleeps yields ", order)
}

// A turn is one round of the loop.
func oncePerRound(r *rig) {
	p := &probe{last: 50, self: true}
	task := spawn(r, p)
	rounds := r.until(task.Done)
	r.is(p.polls == 50 && p.drops == 1, p.polls, p.drops)
	r.is(rounds >= 48 && rounds <= 55, rounds, "rounds")
}

func idles(r *rig) {
	for _, sleep := range []time.Duration{time.Millisecond, time.Hour} {
		task := spawn(r, future.Sleep(sleep))
		if sleep < time.Second {
			r.run()
		}
		r.settle()
		rounds := r.wait(5 * time.Millisecond)
		r.is(rounds < 10, rounds, "rounds")
		task.Cancel()
		r.run()
	}
}

func ends(r *rig) {
	r.runOut()
	r.runOut()
	count := 0
	begin := func() {
		spawn(r, call(), executor.OnDone[int](func(int, error, executor.Outcome) { count++ }))
	}
	for i := range 3 {
		begin()
		r.runOut()
		r.is(count == i+1, count, "of", i+1)
	}
	if _, ok := r.Loop.(Ender); ok { // in a handler, too
		for i := range 3 {
			r.After(time.Millisecond, begin)
			r.runOut()
			r.is(count == i+4, count, "of", i+4)
		}
	}
	r.close()
	r.runOut()
}

// leaver is ready with its timer armed.
type leaver struct{ timer *executor.Timer }

func (f leaver) Poll(cx *executor.Context) (int, bool, error) {
	_, ready, err := f.timer.Poll(cx)
	return 0, !ready, err
}

// Nothing lives that could wait for it, so the loop need not, either.
func leavesTimer(r *rig) {
	timer := forever()
	task := spawn(r, leaver{timer})
	r.runOut()
	r.is(task.Done())
	timer.Drop()
	r.runOut()
}

func freedKeepsNothing(r *rig) {
	p := &probe{}
	spawn(r, forever())
	spawn(r, p)
	spawn(r, blocked())
	r.settle()
	r.want(r.l.Free(), nil)
	r.runOut()
	r.is(p.drops == 1)
	r.close()
	r.runOut()
}

// worker awaits offloaded work so many times.
func worker(times int) executor.Future[int] {
	return coro.New(func(co *coro.Co) (n int, err error) {
		for range times {
			if _, err = coro.Await(co, offload.Go(func(context.Context) (int, error) { return 1, nil })); err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	})
}
