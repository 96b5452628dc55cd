// SPDX-License-Identifier: Apache-2.0

package executor

import (
	"sync"
	"sync/atomic"
)

// poolTimers are the timers of a pool's tasks. Any worker fires them, as any may
// have the task's turn or its drop by then.
type poolTimers struct {
	next  atomic.Int64 // when the first one is due; written under the lock
	fired atomic.Int64 // the latest time whose timers were fired; likewise
	max   int

	mu    sync.Mutex
	wheel wheel
}

func (w *worker) arm(t *Timer, waker Waker) (ready bool, err error) {
	t.pool = w.pool
	return w.pool.timers.await(t, w.local.now, waker)
}

// await is arm for a task. Whether the timer is armed, and its waker, are under the
// lock; its time belongs to the task.
func (p *poolTimers) await(t *Timer, now int64, w Waker) (ready bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.at <= now {
		p.disarm(t)
		return true, nil
	}
	t.waker = w
	if t.local == nil && t.at != Never {
		if p.max > 0 && p.wheel.count >= p.max {
			return true, ErrAgain
		}
		p.arm(t, now)
	}
	return false, nil
}

func (p *poolTimers) arm(t *Timer, now int64) {
	t.local = inPool
	p.wheel.arm(t, now)
	if t.at < p.next.Load() {
		p.next.Store(t.at)
	}
}

func (p *poolTimers) drop(t *Timer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disarm(t)
}

func (p *poolTimers) disarm(t *Timer) {
	if t.local == nil {
		return
	}
	p.wheel.disarm(t)
	t.local = nil
	if t.at == p.next.Load() {
		p.next.Store(p.wheel.deadline())
	}
}

// due takes out the timers that are due and appends their wakers. They are woken
// once the lock is gone.
func (p *poolTimers) due(now int64, wakers []Waker) []Waker {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now > p.fired.Load() {
		p.fired.Store(now)
	}
	for p.wheel.count > 0 && p.wheel.deadline() <= now {
		t := p.wheel.first()
		wakers = append(wakers, t.waker)
		p.disarm(t)
	}
	return wakers
}

// catchUp keeps the time of a turn from being before that of another worker's turn
// which has begun later and fired timers since: a task that was woken by one must not
// see that it isn't due. It is called once the task is the caller's, which
// synchronises with the wake.
func (w *worker) catchUp() {
	if fired := w.pool.timers.fired.Load(); fired > w.local.now {
		w.local.now = fired
	}
}

// fire wakes the tasks whose timers are due.
func (w *worker) fire() {
	l := w.local
	if w.pool.timers.next.Load() > l.now {
		return
	}
	w.due = w.pool.timers.due(l.now, w.due[:0])
	for _, waker := range w.due {
		if l.wake(waker) == BadHandle {
			w.expire(Handle(waker))
		}
	}
}
