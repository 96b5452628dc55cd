// SPDX-License-Identifier: Apache-2.0

package kit

import (
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/future"
)

func init() {
	cases["no_wake_is_lost_while_the_loop_goes_to_sleep"] = oneByOne
	cases["wakes_from_another_thread_reach_a_sleeping_loop"] = reaches
	cases["a_storm_from_four_threads_loses_nothing"] = storm
}

// wakes is how many a case makes; LOOPS_WAKES says it in the environment.
func wakes(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("LOOPS_WAKES")); err == nil {
		return n
	}
	return usual
}

// Each wake has its poll, so a lost one stops it. The pauses differ, so that some wakes
// meet a loop that is about to sleep. A deadline beside it is set, and never comes.
func oneByOne(r *rig) {
	n := wakes(20000)
	sleeper := spawn(r, forever())
	polled := make(chan executor.Waker, 1)
	polls := 0
	task := spawn(r, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		polls++
		polled <- cx.Waker()
		if polls == n {
			sleeper.Cancel()
		}
		return 0, polls == n, nil
	}))
	var wg sync.WaitGroup
	wg.Go(func() {
		var pause atomic.Int64
		for i := range n {
			waker := <-polled
			for range i % 500 {
				pause.Add(1)
			}
			if got := waker.Wake(); i+1 < n && got == executor.Stale {
				r.Error("stale")
			}
		}
	})
	r.run()
	wg.Wait()
	r.is(task.Done() && polls == n, polls)
}

// They coalesce, and none may be lost.
func reaches(r *rig) {
	var told atomic.Bool
	ask := make(chan executor.Waker, 1)
	task := spawn(r, future.Func[int](func(cx *executor.Context) (int, bool, error) {
		select {
		case ask <- cx.Waker():
		default:
		}
		return 0, told.Load(), nil
	}))
	r.settle()
	var wg sync.WaitGroup
	wg.Go(func() {
		waker := <-ask
		ask <- waker
		for i := range 20000 {
			if i == 19999 {
				told.Store(true)
			}
			waker.Wake()
			for range i % 50 {
				told.Load()
			}
		}
	})
	r.run()
	wg.Wait()
	r.is(task.Done())
}

func storm(r *rig) {
	const threads, each = 4, 2000
	keeper := &probe{}
	kept := spawn(r, keeper)
	r.settle()
	var calls [threads]*executor.Task[int]
	var promises [threads][each]*future.Promise[int]
	next, wrong, left := [threads]int{}, 0, threads*each
	for i := range threads {
		calls[i] = spawn(r, blocked())
		for n := range each {
			p := future.NewPromise[int](nil)
			promises[i][n] = p
			spawn(r, p, executor.OnDone[int](func(got int, err error, _ executor.Outcome) {
				if got != n || err != nil {
					wrong++
				}
				next[i]++
				if left--; left == 0 {
					kept.Cancel()
				}
			}))
		}
	}
	r.settle()
	var wg sync.WaitGroup
	waker := keeper.waker
	for i := range threads {
		wg.Go(func() {
			for n, p := range promises[i] {
				if n == each/2 {
					calls[i].Cancel()
				}
				p.Resolve(n)
				waker.Wake()
			}
		})
	}
	r.run()
	wg.Wait()
	r.is(wrong == 0 && keeper.drops == 1, wrong)
	for i := range threads {
		r.is(next[i] == each, next[i])
		r.want(calls[i].Err(), executor.ErrCancelled)
	}
}
