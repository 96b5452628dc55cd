// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/pillion-dev/pillion/executor"
)

// atOnce is how many operations of growth come between two turns.
const atOnce = 100

// forest is n live tasks, or goroutines, and a random order to go through them.
type forest struct {
	order []int
	next  int
}

func newForest(n int) *forest { return &forest{order: rand.Perm(n)} }

func (f *forest) draw() int {
	if f.next == len(f.order) {
		f.next = 0
	}
	f.next++
	return f.order[f.next-1]
}

// growth is growth.c on the executor in Go: what an operation costs beside n live
// tasks.
func growth(mode string, n int) float64 {
	l := executor.New(executor.Config{})
	f := newForest(n)
	tasks := make([]executor.Task[none], n)
	sleepers := make([]sleeper, n)
	for i := range tasks {
		if mode == "step" {
			check(tasks[i].Spawn(l, new(again)))
		} else {
			check(tasks[i].Spawn(l, &sleepers[i]))
		}
	}
	turn(l)
	more := make([]executor.Task[int], atOnce)
	futures := make([]once, atOnce)
	drawn := make([]int, atOnce)
	return measure(map[string]func() int{
		"step": func() int {
			turns := max(1, 10000/n)
			for range turns {
				turn(l)
			}
			return turns * n
		},
		"spawn": func() int {
			for i := range more {
				check(more[i].Spawn(l, &futures[i]))
			}
			turn(l)
			return atOnce
		},
		"wake": func() int {
			for range atOnce {
				l.WakeLocal(sleepers[f.draw()].waker)
			}
			turn(l)
			return atOnce
		},
		"cancel": func() int {
			for i := range drawn {
				drawn[i] = f.draw()
				l.CancelLocal(tasks[drawn[i]].Handle())
			}
			turn(l)
			for _, i := range drawn {
				check(tasks[i].Spawn(l, &sleepers[i]))
			}
			turn(l)
			return atOnce
		},
	}[mode])
}

// goSpawn starts a thousand goroutines that end at once.
func goSpawn() float64 {
	runtime.GOMAXPROCS(1)
	answers := make(chan none, batch)
	return measure(func() int {
		for range batch {
			go func() { answers <- none{} }()
		}
		for range batch {
			<-answers
		}
		return batch
	})
}

// goIdle is the memory of a parked goroutine.
func goIdle() float64 {
	before := resident()
	never := make(chan none)
	for range many {
		go func() { <-never }()
	}
	for range 10 {
		runtime.Gosched()
	}
	return float64(resident()-before) / many
}

// goroutines does the same work with goroutines, on one thread as well: a step is
// a Gosched, a wake a send on a channel of the goroutine's own, and a cancel that of
// a context. Timers are Go's own, set for a minute and stopped.
func goroutines(mode string, n int) float64 {
	runtime.GOMAXPROCS(1)
	f := newForest(n)
	answers := make(chan none, atOnce)
	type member struct {
		wake   chan none
		cancel context.CancelFunc
		timer  *time.Timer
	}
	members := make([]member, n)
	start := func(m *member) {
		ctx, cancel := context.WithCancel(context.Background())
		m.cancel = cancel
		go func() {
			<-ctx.Done()
			answers <- none{}
		}()
	}
	for i := range members {
		m := &members[i]
		switch mode {
		case "step":
			go func() {
				for {
					runtime.Gosched()
				}
			}()
		case "cancel":
			start(m)
		case "timer-set", "timer-clear":
			m.timer = time.NewTimer(time.Minute + time.Duration(i))
		default:
			m.wake = make(chan none, 1)
			go func() {
				for range m.wake {
					answers <- none{}
				}
			}()
		}
	}
	runtime.Gosched()
	await := func() int {
		for range atOnce {
			<-answers
		}
		return atOnce
	}
	// It sets and stops a timer, and times only one of the two.
	timers := func(timed, other func(*time.Timer)) float64 {
		var spent time.Duration
		rounds := max(10, 1_000_000/n)
		for range rounds {
			begin := time.Now()
			for range n {
				timed(members[f.draw()].timer)
			}
			spent += time.Since(begin)
			for range n {
				other(members[f.draw()].timer)
			}
		}
		return float64(spent) / float64(rounds*n)
	}
	set := func(t *time.Timer) { t.Reset(time.Minute + time.Duration(rand.IntN(1e9))) }
	stop := func(t *time.Timer) { t.Stop() }
	switch mode {
	case "timer-set":
		timers(stop, stop)
		return timers(set, stop)
	case "timer-clear":
		return timers(stop, set)
	}
	return measure(map[string]func() int{
		"step": func() int {
			runtime.Gosched() // all others go first
			return n
		},
		"spawn": func() int {
			for range atOnce {
				go func() { answers <- none{} }()
			}
			return await()
		},
		"wake": func() int {
			for range atOnce {
				members[f.draw()].wake <- none{}
			}
			return await()
		},
		"cancel": func() int {
			drawn := make([]int, atOnce)
			for i := range drawn {
				drawn[i] = f.draw()
				members[drawn[i]].cancel()
			}
			await()
			for _, i := range drawn {
				start(&members[i])
			}
			runtime.Gosched()
			return atOnce
		},
	}[mode])
}
