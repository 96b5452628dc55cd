// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"iter"
	"sync"

	"github.com/pillion-dev/pillion/executor"
	"github.com/pillion-dev/pillion/executor/internal/place"
)

// maxIdle bounds the finished coroutines that an executor keeps for reuse, at
// about 3 KB each.
const maxIdle = 256

// job is what a worker runs.
type job interface {
	run()
	fail(err error)
	retire()
}

// worker is a coroutine of the runtime's that runs one body after another.
type worker struct {
	pool     *pool
	next     func() (suspended, ok bool)
	stop     func()
	yield    func(suspended bool) bool
	shortcut place.Shortcut // of its bodies, one after another; nil before the first
	job      job            // nil once its body has ended
	index    int            // in pool.live
	lost     bool
}

func newWorker(p *pool) *worker {
	w := &worker{pool: p}
	w.next, w.stop = iter.Pull(func(yield func(bool) bool) {
		w.yield = yield
		for {
			w.perform()
			if !yield(false) {
				return
			}
		}
	})
	return w
}

// perform runs a body to its end, on the coroutine's side.
func (w *worker) perform() {
	returned := false
	defer func() {
		j := w.job
		w.job = nil
		if returned {
			return
		}
		if r := recover(); r != nil {
			j.fail(executor.NewPanicError(r))
			return
		}
		// Goexit. If it went on it would end the loop's goroutine as well, so the
		// coroutine stays in this deferred call.
		j.fail(executor.ErrGoexit)
		w.lost = true
		for {
			w.yield(false)
		}
	}()
	w.job.run()
	returned = true
}

// pool has the coroutines of one executor. It belongs to the owner, or to all
// goroutines that an executor.Pool has started.
type pool struct {
	mu   *sync.Mutex // nil if it belongs to one owner
	live []*worker
	idle []*worker
	lost int
}

type poolKey struct{}

// poolIn gives the coroutines of a place.
func poolIn(p *place.Place) *pool { return p.Get(poolKey{}, newPool).(*pool) }

func newPool(p *place.Place) place.Extension {
	if p.Shared {
		return &pool{mu: new(sync.Mutex)}
	}
	return new(pool)
}

func poolOf(l *executor.Local) *pool { return poolIn(place.Of(l).Place()) }

func (p *pool) lock() {
	if p.mu != nil {
		p.mu.Lock()
	}
}

func (p *pool) unlock() {
	if p.mu != nil {
		p.mu.Unlock()
	}
}

// take gives a coroutine for j.
func (p *pool) take(j job) (w *worker) {
	p.lock()
	defer p.unlock()
	if n := len(p.idle); n > 0 {
		w = p.idle[n-1]
		p.idle = p.idle[:n-1]
	} else {
		w = newWorker(p)
	}
	w.job, w.index = j, len(p.live)
	p.live = append(p.live, w)
	return w
}

// keep reports whether a worker whose body has ended may be used again; else it is
// lost.
func (p *pool) keep(w *worker) bool {
	p.lock()
	defer p.unlock()
	last := len(p.live) - 1
	p.live[last].index = w.index
	p.live[w.index] = p.live[last]
	p.live[last] = nil
	p.live = p.live[:last]
	switch {
	case w.lost:
		p.lost++
	case len(p.idle) < maxIdle:
		p.idle = append(p.idle, w)
	default:
		return false
	}
	return true
}

// Suspended implements [place.Extension].
func (p *pool) Suspended() int { return len(p.live) }

// Retire implements [place.Extension].
func (p *pool) Retire() {
	for len(p.live) > 0 {
		p.live[len(p.live)-1].job.retire()
	}
	for _, w := range p.idle {
		w.stop()
	}
	p.idle = nil
}

// Suspended counts the bodies that have begun on l and not ended. While there are
// any, l can't change its thread. For the owner.
func Suspended(l *executor.Local) int { return poolOf(l).Suspended() }

// Idle counts the finished coroutines that l keeps for reuse. They are bound to the
// thread as well, until [executor.Carrier.Retire]. For the owner.
func Idle(l *executor.Local) int { return len(poolOf(l).idle) }

// Lost counts the bodies on l that have called runtime.Goexit. Each has cost a
// parked goroutine. For the owner.
func Lost(l *executor.Local) int { return poolOf(l).lost }
