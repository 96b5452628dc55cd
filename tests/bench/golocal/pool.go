// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync"

	"github.com/pillion-dev/pillion/executor"
)

const (
	pooled  = 1000 // tasks
	workers = 2
)

// times is again that ends.
type times struct{ left int }

func (t *times) Poll(cx *executor.Context) (none, bool, error) {
	t.left--
	if t.left < 0 {
		return none{}, true, nil
	}
	cx.WakeSelf()
	return none{}, false, nil
}

// ring has tasks, each of which wakes the next, as long as hops are left.
type ring struct {
	links []link
	left  int // touched by the last woken task
	done  chan struct{}
}

type link struct {
	ring  *ring
	waker executor.Waker
	next  *link
}

func (k *link) Poll(cx *executor.Context) (none, bool, error) {
	switch r := k.ring; {
	case k.waker == 0:
		k.waker = cx.Waker()
		r.done <- struct{}{}
	case r.left == 0:
		r.done <- struct{}{}
	default:
		r.left--
		cx.Local().WakeLocal(k.next.waker)
	}
	return none{}, false, nil
}

func poolRing() float64 {
	p := newPool()
	r := &ring{links: make([]link, pooled), done: make(chan struct{})}
	for i := range r.links {
		r.links[i] = link{ring: r, next: &r.links[(i+1)%pooled]}
		_, err := executor.Spawn(p, &r.links[i])
		check(err)
		<-r.done
	}
	return measure(func() int {
		r.left = 100_000
		r.links[0].waker.Wake()
		<-r.done
		return 100_000
	})
}

// onWorkers spawns n tasks on a pool and waits until all have ended.
func onWorkers(p *executor.Pool, n int, spawn func(i int, done executor.OnDone[none])) {
	var all sync.WaitGroup
	all.Add(n)
	for i := range n {
		spawn(i, func(none, error, executor.Outcome) { all.Done() })
	}
	all.Wait()
}

func newPool() *executor.Pool {
	p := executor.NewPool(executor.PoolConfig{})
	check(p.Start(workers))
	return p
}

func poolYield() float64 {
	p := newPool()
	return measure(func() int {
		const each = 1000
		onWorkers(p, pooled, func(_ int, done executor.OnDone[none]) {
			_, err := executor.Spawn(p, &times{each}, done)
			check(err)
		})
		return pooled * each
	})
}

// goYield is the same with goroutines.
func goYield() float64 {
	return measure(func() int {
		const each = 1000
		var all sync.WaitGroup
		for range pooled {
			all.Go(func() {
				for range each {
					runtime.Gosched()
				}
			})
		}
		all.Wait()
		return pooled * each
	})
}

// goRing is the same with goroutines and channels.
func goRing() float64 {
	links := make([]chan int, pooled)
	for i := range links {
		links[i] = make(chan int, 1)
	}
	done := make(chan struct{})
	for i := range links {
		go func() {
			for left := range links[i] {
				if left == 0 {
					done <- struct{}{}
				} else {
					links[(i+1)%pooled] <- left - 1
				}
			}
		}()
	}
	return measure(func() int {
		links[0] <- 100_000
		<-done
		return 100_000
	})
}
