// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
	"github.com/pillion-dev/pillion/executor/future"
)

func init() {
	cases["deadlines_are_met_late_but_never_early"] = neverEarly
	cases["a_task_that_wakes_itself_does_not_starve_the_loop"] = func(r *rig) { starves(r, &probe{self: true}) }
	cases["a_task_that_wakes_itself_starves_no_goroutine"] = starvesNone
	cases["an_overdue_deadline_does_not_starve_the_loop"] = overdue
	cases["the_budget_bounds_a_round"] = budget
	cases["work_before_a_sleep_makes_no_timer_early"] = works
	cases["the_soonest_sleep_ends_within_the_loops_resolution"] = soonest
	cases["a_cancelled_sleep_wakes_no_loop"] = cancelledSleep
}

// A loop that woke early would go round until it is time: rounds are counted.
func neverEarly(r *rig) {
	const ms = time.Millisecond
	lengths := []time.Duration{9*ms + 1, 4 * ms, 1, 300 * time.Microsecond, 0, 4 * ms}
	naps := make([]doze, len(lengths))
	last := -1
	for i, length := range lengths {
		spawn(r, naps[i].sleep(length), executor.OnDone[int](func(int, error, executor.Outcome) { last = i }))
	}
	rounds := r.until(func() bool { return r.l.Live() == 0 })
	r.is(rounds <= 20, rounds, "rounds")
	for i, length := range lengths {
		r.is(naps[i].late(length) >= 0, "early by", -naps[i].late(length))
	}
	r.is(last == 0, "the longest was not the last")
}

// starves runs until the loop's own timer has fired five times.
func starves(r *rig, busy *probe) {
	ticks := 0
	var tick func()
	tick = func() {
		if ticks++; ticks < 5 {
			r.After(time.Millisecond, tick)
		} else {
			busy.last = busy.polls + 1
		}
	}
	task := spawn(r, busy)
	r.After(time.Millisecond, tick)
	r.run()
	r.is(ticks == 5 && task.Done(), ticks)
}

// On wasm, too, where the other goroutine runs only if the loop lets it.
func starvesNone(r *rig) {
	ran := make(chan struct{})
	go close(ran)
	spawn(r, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		select {
		case <-ran:
			return 0, true, nil
		default:
			cx.WakeSelf()
			return 0, false, nil
		}
	}))
	r.run()
}

func overdue(r *rig) {
	timer := future.Sleep(0)
	starves(r, &probe{then: func(cx *executor.Context) {
		timer.ResetAt(cx.Now() - int64(time.Second))
		if _, ready, err := timer.Poll(cx); err != nil {
			r.Error(err)
		} else if ready {
			cx.WakeSelf()
		}
	}})
	timer.Drop()
}

// A round polls no more tasks than a turn may, and each in its turn.
func budget(r *rig) {
	const tasks, most = 100, 16
	its := r.Driver.bare(r).beside(executor.Config{Budget: executor.Budget{MaxPolls: most}})
	its.settle()
	var busy [tasks]probe
	for i := range busy {
		busy[i].self = true
		spawn(its, &busy[i])
	}
	rounds := 0
	for ; rounds < 40; rounds++ {
		its.Round(true)
	}
	polls := 0
	for i := range busy {
		polls += busy[i].polls
		ahead := busy[i].polls - busy[tasks-1].polls
		r.is(ahead >= 0 && ahead <= 1, ahead)
		busy[i].last = busy[i].polls + 1
	}
	r.is(polls > 0 && polls <= 2*rounds*most, polls, "polls")
	its.run()
}

// It works for a while before each sleep: meanwhile a clock that the loop has read once
// is behind. A timer that fired early would be armed again, in one more round.
func works(r *rig) {
	const times, sleep = 8, 18 * time.Millisecond
	r.settle()
	task := spawn(r, coro.New(func(co *coro.Co) (int, error) {
		for range times {
			for until := time.Now().Add(9 * time.Millisecond); time.Now().Before(until); {
			}
			began := co.Context().Now()
			if _, err := coro.Await(co, future.Sleep(sleep)); err != nil {
				return 0, err
			}
			if took := co.Local().Now() - began; took < int64(sleep) {
				r.Error("early by", int64(sleep)-took)
			}
		}
		return 0, nil
	}))
	rounds := r.until(task.Done)
	r.is(rounds < 13, rounds, "rounds")
}

// One of many is on time, or as late as the loop's own timer: where others have the
// processors, that is late, too.
func soonest(r *rig) {
	const most = time.Millisecond * 3 / 2
	least, own := time.Hour, time.Hour
	for i := 0; i < 300 && least > own+most; i++ {
		length := time.Millisecond/3 + time.Duration(i%30)*10*time.Microsecond
		var nap doze
		spawn(r, nap.sleep(length))
		r.run()
		least = min(least, nap.late(length))
		r.is(least >= 0, "early by", -least)
		began := time.Now()
		r.wait(time.Millisecond)
		own = min(own, max(0, time.Since(began)-time.Millisecond))
	}
	r.is(least <= own+most, "late by", least, "where its own are by", own)
}

func cancelledSleep(r *rig) {
	const times, length = 8, 2 * time.Millisecond
	without, with := 0, 0
	r.settle()
	for range times {
		without += r.wait(3 * length)
		task := spawn(r, future.Sleep(length))
		r.settle()
		task.Cancel()
		r.settle()
		r.is(task.Done())
		with += r.wait(3 * length)
	}
	r.is(with < without+times/2, with, "rounds, not", without)
}
