// SPDX-License-Identifier: Apache-2.0

// Golocal does the work of step.c, spawn.c, idle.c and timer.c on the executor in
// Go, without any C.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/coro"
)

const (
	tasks      = 100
	batch      = 1000
	many       = 1_000_000
	longEnough = 150 * time.Millisecond
)

type none = struct{}

// again wakes itself in every poll.
type again int

func (a *again) Poll(cx *executor.Context) (none, bool, error) {
	*a++
	cx.WakeSelf()
	return none{}, false, nil
}

// once is ready at once.
type once int

func (o *once) Poll(*executor.Context) (int, bool, error) {
	*o++
	return int(*o), true, nil
}

// sleeper keeps its waker and sleeps.
type sleeper struct {
	waker executor.Waker
	state uint64
}

func (s *sleeper) Poll(cx *executor.Context) (none, bool, error) {
	s.waker, s.state = cx.Waker(), 1
	return none{}, false, nil
}

// measure is the timing loop of bench.h.
func measure(round func() int) float64 {
	round()
	start, steps := time.Now(), 0
	for time.Since(start) < longEnough {
		steps += round()
	}
	return float64(time.Since(start).Nanoseconds()) / float64(steps)
}

func turn(l *executor.Local) executor.Progress {
	p, err := l.Poll(executor.Budget{})
	check(err)
	return p
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func step() float64 {
	l := executor.New(executor.Config{})
	var futures [tasks]again
	for i := range futures {
		_, err := executor.Spawn(l, &futures[i])
		check(err)
	}
	return measure(func() int {
		const turns = 1000
		for range turns {
			turn(l)
		}
		return turns * tasks
	})
}

func spawn() float64 {
	l := executor.New(executor.Config{})
	storage := make([]executor.Task[int], batch)
	futures := make([]once, batch)
	return measure(func() int {
		for i := range storage {
			check(storage[i].Spawn(l, &futures[i]))
		}
		for turn(l).Live > 0 {
		}
		return batch
	})
}

// suspend is a step of one of 100 coroutines.
func suspend() float64 {
	l := executor.New(executor.Config{})
	for range tasks {
		_, err := executor.Spawn(l, coro.New(func(co *coro.Co) (none, error) {
			for {
				if err := co.Yield(); err != nil {
					return none{}, err
				}
			}
		}))
		check(err)
	}
	return measure(func() int {
		const turns = 100
		for range turns {
			turn(l)
		}
		return turns * tasks
	})
}

// gosched is the same with goroutines.
func gosched() float64 {
	return measure(func() int {
		const each = 1000
		var all sync.WaitGroup
		for range tasks {
			all.Go(func() {
				for range each {
					runtime.Gosched()
				}
			})
		}
		all.Wait()
		return each * tasks
	})
}

func resident() int {
	statm, err := os.ReadFile("/proc/self/statm")
	check(err)
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	check(err)
	return pages * os.Getpagesize()
}

func idle() float64 {
	l := executor.New(executor.Config{})
	before := resident()
	storage := make([]executor.Task[none], many)
	futures := make([]sleeper, many)
	for i := range storage {
		check(storage[i].Spawn(l, &futures[i]))
	}
	for turn(l).More {
	}
	bytes := float64(resident()-before) / many
	runtime.KeepAlive(storage)
	return bytes
}

func main() {
	mode := os.Args[1]
	if mode == "timer" {
		n, err := strconv.Atoi(os.Args[2])
		check(err)
		check(json.NewEncoder(os.Stdout).Encode(timer(n)))
		return
	}
	if grow := map[string]func(string, int) float64{
		"growth": growth, "goroutines": goroutines}[mode]; grow != nil {
		n, err := strconv.Atoi(os.Args[3])
		check(err)
		check(json.NewEncoder(os.Stdout).Encode(map[string]float64{mode: grow(os.Args[2], n)}))
		return
	}
	value := map[string]func() float64{
		"step": step, "spawn": spawn, "idle": idle, "suspend": suspend, "gosched": gosched,
		"go-spawn": goSpawn, "go-idle": goIdle,
		"pool-yield": poolYield, "pool-ring": poolRing, "go-yield": goYield, "go-ring": goRing,
		"burst": func() float64 { return sends(false) }, "stream": func() float64 { return sends(true) },
	}[mode]()
	check(json.NewEncoder(os.Stdout).Encode(map[string]float64{mode: value}))
}
