// SPDX-License-Identifier: Apache-2.0

package coro

import (
	"iter"

	"github.com/pillion-dev/pillion/executor"
)

// maxIdle bounds the finished coroutines that an executor keeps for reuse, at
// about 3 KB each.
const maxIdle = 256

// job is what a worker runs.
type job interface {
	run()
	fail(err error)
	bind(w *worker)
	retire()
}

// worker is a coroutine of the runtime's that runs one body after another.
type worker struct {
	pool  *pool
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	job   job // nil between two bodies
	index int // in pool.live
	lost  bool
}

func newWorker(p *pool) *worker {
	w := &worker{pool: p}
	w.next, w.stop = iter.Pull(func(yield func(struct{}) bool) {
		w.yield = yield
		for {
			w.perform()
			if !yield(struct{}{}) {
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
		if returned {
			return
		}
		if r := recover(); r != nil {
			w.job.fail(executor.NewPanicError(r))
			w.end()
			return
		}
		// Goexit. Letting it go on would end the loop's goroutine as well, so the
		// coroutine stays in this deferred call.
		w.job.fail(executor.ErrGoexit)
		w.end()
		w.lost = true
		for {
			w.suspend()
		}
	}()
	w.job.run()
	returned = true
	w.end()
}

func (w *worker) end() {
	w.job.bind(nil)
	w.job = nil
}

// suspend goes back to whoever resumed, on the coroutine's side.
func (w *worker) suspend() { w.yield(struct{}{}) }

// resume runs the coroutine until it suspends or ends, on the owner's side.
func (w *worker) resume() {
	w.next()
	if w.job == nil {
		w.pool.ended(w)
	}
}

// pool is the coroutines of one executor. It belongs to the owner.
type pool struct {
	live []*worker
	idle []*worker
	lost int
}

type poolKey struct{}

func poolOf(l *executor.Local) *pool {
	if p, ok := l.Extension(poolKey{}).(*pool); ok {
		return p
	}
	p := new(pool)
	l.Extend(poolKey{}, p)
	return p
}

func (p *pool) start(j job) {
	var w *worker
	if n := len(p.idle); n > 0 {
		w = p.idle[n-1]
		p.idle = p.idle[:n-1]
	} else {
		w = newWorker(p)
	}
	w.job, w.index = j, len(p.live)
	p.live = append(p.live, w)
	j.bind(w)
	w.resume()
}

func (p *pool) ended(w *worker) {
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
		w.stop()
	}
}

// Retire implements [executor.Extension].
func (p *pool) Retire() {
	for len(p.live) > 0 {
		p.live[len(p.live)-1].job.retire()
	}
	for _, w := range p.idle {
		w.stop()
	}
	p.idle = nil
}

// Suspended says how many bodies have begun on l and not ended. While there are
// any, l can't change its thread. For the owner.
func Suspended(l *executor.Local) int { return len(poolOf(l).live) }

// Idle says how many finished coroutines l keeps for reuse. They are bound to the
// thread as well, until [executor.Local.Retire]. For the owner.
func Idle(l *executor.Local) int { return len(poolOf(l).idle) }

// Lost says how many bodies on l have called runtime.Goexit. Each has cost a
// parked goroutine. For the owner.
func Lost(l *executor.Local) int { return poolOf(l).lost }
